#!/usr/bin/env bash
# One Apache Kafka broker (KRaft: broker and controller in one process) on loopback, on the jars of scripts/deps-kafka.sh.
#   scripts/kafka.sh start | stop | kill | status | wipe
#   scripts/kafka.sh tool NAME ARGS...   a console tool: topics, consumer, producer, groups; --bootstrap-server is given
# kill ends it as a crash would; wipe removes its data too. Data, settings, certificates and log are in run/kafka (KAFKA_DIR).
# KAFKA_PORT (default 19092) is the plain listener; +1 is the controller, +2 TLS, +3 SASL over TLS, +4 SASL in the clear.
# Accounts: PLAIN test/test-secret, SCRAM-SHA-256 and SCRAM-SHA-512 scram/scram-secret. The authority is tls/ca.pem.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

port=${KAFKA_PORT:-19092}
java=${JAVA:-java}
mkdir -p "${KAFKA_DIR:-run/kafka}"
dir=$(cd "${KAFKA_DIR:-run/kafka}" && pwd -P)
libs=${DEST:-data}/kafka/libs
host=127.0.0.1

# pid prints the process of this folder's broker, or fails. A number that another process has by now is none.
pid() {
	local p
	p=$(cat "$dir/pid" 2>/dev/null) && [ -n "$p" ] || return 1
	[[ "$(ps -o args= -p "$p" 2>/dev/null)" == *"kafka.Kafka $dir/server.properties"* ]] && echo "$p"
}

run() { "$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$libs/*" "$@"; }

# certificates makes an authority of its own and the broker's certificate, once.
certificates() {
	[ ! -s "$dir/tls/server.pem" ] || return 0
	mkdir -p "$dir/tls"
	(
		umask 077
		cd "$dir/tls"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=wary-kafka-ca \
			-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
			-extfile <(echo "subjectAltName=DNS:localhost,IP:$host") -out server.crt
		cat server.key server.crt ca.pem >server.pem.new && mv server.pem.new server.pem
	) 2>"$dir/tls.log" || { cat "$dir/tls.log" >&2 && return 1; }
}

settings() {
	local login=org.apache.kafka.common.security listener
	cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$host:$((port + 1))
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$((port + 1)),SSL://$host:$((port + 2)),SASL_SSL://$host:$((port + 3)),SASL_PLAINTEXT://$host:$((port + 4))
advertised.listeners=PLAINTEXT://$host:$port,SSL://$host:$((port + 2)),SASL_SSL://$host:$((port + 3)),SASL_PLAINTEXT://$host:$((port + 4))
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/server.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
log.dirs=$dir/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=9000
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
log.segment.bytes=67108864
controlled.shutdown.enable=false
PROPERTIES
	for listener in sasl_ssl sasl_plaintext; do
		echo "listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_test=\"test-secret\";"
		echo "listener.name.$listener.scram-sha-256.sasl.jaas.config=$login.scram.ScramLoginModule required;"
		echo "listener.name.$listener.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;"
	done
}

format() {
	[ ! -s "$dir/data/meta.properties" ] || return 0
	run kafka.tools.StorageTool format -t "$(openssl rand -base64 16 | tr '+/' '-_' | tr -d '=')" -c "$dir/server.properties" \
		--add-scram 'SCRAM-SHA-256=[name=scram,password=scram-secret]' \
		--add-scram 'SCRAM-SHA-512=[name=scram,password=scram-secret]' >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2 && return 1; }
}

start() {
	local p
	if p=$(pid); then
		echo "kafka: already there, process $p, $host:$port"
		return
	fi
	[ -s "$libs/.version" ] || { echo "kafka: there is no $libs: scripts/deps.sh kafka fetches it" >&2 && return 1; }
	certificates
	settings >"$dir/server.properties"
	format
	: >"$dir/log"
	setsid nohup "$java" -Xmx512m -XX:+UseSerialGC -Xss512k -XX:MaxDirectMemorySize=128m -Djava.awt.headless=true \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
		-cp "$libs/*" kafka.Kafka "$dir/server.properties" >>"$dir/log" 2>&1 </dev/null &
	p=$!
	echo "$p" >"$dir/pid"
	for _ in $(seq 1800); do
		kill -0 "$p" 2>/dev/null || break
		if grep -q 'Kafka Server started' "$dir/log" && (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
			echo "kafka: ready, process $p, $host:$port"
			return
		fi
		sleep 0.1
	done
	echo "kafka: the broker did not become ready; the end of $dir/log:" >&2
	tail -n 20 "$dir/log" >&2
	return 1
}

# end ends the broker with a signal, and the hard way where that takes more than 30 seconds.
end() {
	local p
	if ! p=$(pid); then
		rm -f "$dir/pid"
		echo "kafka: there is none"
		return
	fi
	kill "-$1" "$p" 2>/dev/null || true
	for _ in $(seq 300); do
		if ! kill -0 "$p" 2>/dev/null; then
			rm -f "$dir/pid"
			echo "kafka: ended process $p"
			return
		fi
		sleep 0.1
	done
	[ "$1" != KILL ] || { echo "kafka: process $p does not end" >&2 && return 1; }
	end KILL
}

tool() {
	local class
	case ${1:-} in
	topics) class=org.apache.kafka.tools.TopicCommand ;;
	consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
	producer) class=org.apache.kafka.tools.ConsoleProducer ;;
	groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
	*) echo "kafka: a tool is topics, consumer, producer or groups" >&2 && return 2 ;;
	esac
	shift
	run "$class" --bootstrap-server "$host:$port" "$@"
}

case ${1:-} in
start) start ;;
stop) end TERM ;;
kill) end KILL ;;
status) pid >/dev/null && echo "kafka: process $(pid), $host:$port" || { echo "kafka: there is none" && exit 1; } ;;
wipe) end KILL && rm -rf "$dir/data" "$dir/format.log" ;;
tool) shift && tool "$@" ;;
*) sed -n '2,8s/^# //p' "$0" >&2 && exit 2 ;;
esac

#!/usr/bin/env bash
# Fetches Apache Kafka (Apache-2.0) with its console tools and the jars it needs from Maven Central into DEST/kafka/libs
# (default DEST: data), for scripts/kafka.sh: one broker on loopback, for tests and for trying things out. What is already
# there is left as it is. Maven must be installed; it runs on what Maven is set up with on this machine, and checks each jar
# by the checksum that the repository gives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=4.3.1
slf4j=1.7.36

kafka=${1:-data}/kafka
[ "$(cat "$kafka/libs/.version" 2>/dev/null)" != "$version" ] || exit 0
command -v mvn >/dev/null || { echo "deps-kafka: Maven (mvn) is needed to fetch Apache Kafka" >&2 && exit 1; }
command -v java >/dev/null || { echo "deps-kafka: Java 17 or later is needed to run Apache Kafka" >&2 && exit 1; }

mkdir -p "$kafka"
# Beside what is made, so that everything appears by a rename.
tmp=$(mktemp -d "$kafka/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>$slf4j</version></dependency>
  </dependencies>
</project>
POM
echo "deps-kafka: fetching Apache Kafka $version" >&2
mvn -B -q --strict-checksums -f "$tmp/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(cd "$tmp" && pwd)/libs" >&2
echo "$version" >"$tmp/libs/.version"
rm -rf "$kafka/libs"
mv "$tmp/libs" "$kafka/libs"

package population

// atlas is the geography of a synthetic world: countries by the share of the
// people there, what their browsers ask for, and cities with places and zones.
var atlas = []struct {
	code, languages string
	share           float64
	cities          []atlasCity
}{
	{"GB", "en-GB,en;q=0.9", 12, []atlasCity{{51.51, -0.13, "Europe/London"}, {53.48, -2.24, "Europe/London"}, {55.95, -3.19, "Europe/London"}, {52.48, -1.90, "Europe/London"}, {51.45, -2.59, "Europe/London"}}},
	{"DE", "de-DE,de;q=0.9,en;q=0.7", 12, []atlasCity{{52.52, 13.40, "Europe/Berlin"}, {48.14, 11.58, "Europe/Berlin"}, {50.11, 8.68, "Europe/Berlin"}, {53.55, 9.99, "Europe/Berlin"}, {50.94, 6.96, "Europe/Berlin"}}},
	{"FR", "fr-FR,fr;q=0.9,en;q=0.6", 9, []atlasCity{{48.86, 2.35, "Europe/Paris"}, {45.76, 4.84, "Europe/Paris"}, {43.30, 5.37, "Europe/Paris"}, {44.84, -0.58, "Europe/Paris"}}},
	{"NO", "nb-NO,nb;q=0.9,no;q=0.8,en;q=0.6", 5, []atlasCity{{59.91, 10.75, "Europe/Oslo"}, {60.39, 5.32, "Europe/Oslo"}, {63.43, 10.40, "Europe/Oslo"}}},
	{"SE", "sv-SE,sv;q=0.9,en;q=0.7", 4, []atlasCity{{59.33, 18.07, "Europe/Stockholm"}, {57.71, 11.97, "Europe/Stockholm"}, {55.60, 13.00, "Europe/Stockholm"}}},
	{"NL", "nl-NL,nl;q=0.9,en;q=0.8", 5, []atlasCity{{52.37, 4.90, "Europe/Amsterdam"}, {51.92, 4.48, "Europe/Amsterdam"}, {52.09, 5.12, "Europe/Amsterdam"}}},
	{"ES", "es-ES,es;q=0.9", 7, []atlasCity{{40.42, -3.70, "Europe/Madrid"}, {41.39, 2.17, "Europe/Madrid"}, {37.39, -5.99, "Europe/Madrid"}, {28.12, -15.43, "Atlantic/Canary"}}},
	{"IT", "it-IT,it;q=0.9,en;q=0.5", 7, []atlasCity{{41.90, 12.50, "Europe/Rome"}, {45.46, 9.19, "Europe/Rome"}, {40.85, 14.27, "Europe/Rome"}, {38.12, 13.36, "Europe/Rome"}}},
	{"PL", "pl-PL,pl;q=0.9,en;q=0.6", 5, []atlasCity{{52.23, 21.01, "Europe/Warsaw"}, {50.06, 19.94, "Europe/Warsaw"}, {54.35, 18.65, "Europe/Warsaw"}}},
	{"IE", "en-IE,en;q=0.9", 2, []atlasCity{{53.35, -6.26, "Europe/Dublin"}, {51.90, -8.47, "Europe/Dublin"}}},
	{"PT", "pt-PT,pt;q=0.9,en;q=0.6", 2, []atlasCity{{38.72, -9.14, "Europe/Lisbon"}, {41.16, -8.63, "Europe/Lisbon"}}},
	{"RO", "ro-RO,ro;q=0.9,en;q=0.7", 2, []atlasCity{{44.43, 26.10, "Europe/Bucharest"}, {46.77, 23.60, "Europe/Bucharest"}}},
	{"UA", "uk-UA,uk;q=0.9,ru;q=0.6", 1, []atlasCity{{50.45, 30.52, "Europe/Kyiv"}, {49.84, 24.03, "Europe/Kyiv"}}},
	{"TR", "tr-TR,tr;q=0.9,en;q=0.5", 2, []atlasCity{{41.01, 28.98, "Europe/Istanbul"}, {39.93, 32.86, "Europe/Istanbul"}}},
	{"RU", "ru-RU,ru;q=0.9,en;q=0.5", 1, []atlasCity{{55.76, 37.62, "Europe/Moscow"}, {56.84, 60.61, "Asia/Yekaterinburg"}, {55.03, 82.92, "Asia/Novosibirsk"}}},
	{"US", "en-US,en;q=0.9", 9, []atlasCity{{40.71, -74.01, "America/New_York"}, {34.05, -118.24, "America/Los_Angeles"}, {41.88, -87.63, "America/Chicago"}, {29.76, -95.37, "America/Chicago"}, {39.74, -104.99, "America/Denver"}}},
	{"CA", "en-CA,en;q=0.9,fr-CA;q=0.5", 2, []atlasCity{{43.65, -79.38, "America/Toronto"}, {49.28, -123.12, "America/Vancouver"}, {45.50, -73.57, "America/Toronto"}}},
	{"BR", "pt-BR,pt;q=0.9,en;q=0.6", 4, []atlasCity{{-23.55, -46.63, "America/Sao_Paulo"}, {-22.91, -43.17, "America/Sao_Paulo"}, {-3.12, -60.02, "America/Manaus"}, {-8.05, -34.88, "America/Recife"}}},
	{"MX", "es-MX,es;q=0.9,en;q=0.5", 1, []atlasCity{{19.43, -99.13, "America/Mexico_City"}, {25.69, -100.32, "America/Monterrey"}}},
	{"IN", "en-IN,en;q=0.9,hi;q=0.7", 2, []atlasCity{{19.08, 72.88, "Asia/Kolkata"}, {28.61, 77.21, "Asia/Kolkata"}, {12.97, 77.59, "Asia/Kolkata"}}},
	{"CN", "zh-CN,zh;q=0.9", 1, []atlasCity{{31.23, 121.47, "Asia/Shanghai"}, {39.90, 116.41, "Asia/Shanghai"}, {23.13, 113.26, "Asia/Shanghai"}}},
	{"VN", "vi-VN,vi;q=0.9", 1, []atlasCity{{10.82, 106.63, "Asia/Ho_Chi_Minh"}, {21.03, 105.85, "Asia/Ho_Chi_Minh"}}},
	{"ID", "id-ID,id;q=0.9,en;q=0.5", 1, []atlasCity{{-6.21, 106.85, "Asia/Jakarta"}, {-7.25, 112.75, "Asia/Jakarta"}}},
	{"SG", "en-SG,en;q=0.9,zh;q=0.5", 0.5, []atlasCity{{1.35, 103.82, "Asia/Singapore"}}},
	{"AU", "en-AU,en;q=0.9", 2, []atlasCity{{-33.87, 151.21, "Australia/Sydney"}, {-37.81, 144.96, "Australia/Melbourne"}, {-31.95, 115.86, "Australia/Perth"}}},
	{"NG", "en-NG,en;q=0.9", 0.5, []atlasCity{{6.52, 3.38, "Africa/Lagos"}, {9.06, 7.50, "Africa/Lagos"}}},
	{"ZA", "en-ZA,en;q=0.9", 1, []atlasCity{{-26.20, 28.05, "Africa/Johannesburg"}, {-33.92, 18.42, "Africa/Johannesburg"}}},
	{"TH", "th-TH,th;q=0.9,en;q=0.6", 0.5, []atlasCity{{13.76, 100.50, "Asia/Bangkok"}, {7.88, 98.39, "Asia/Bangkok"}}},
	{"AE", "en-AE,en;q=0.9,ar;q=0.8", 0.5, []atlasCity{{25.20, 55.27, "Asia/Dubai"}}},
}

type atlasCity struct {
	latitude, longitude float64
	zone                string
}

// european are the countries of the atlas in the European Union.
var european = [...]string{"DE", "FR", "SE", "NL", "ES", "IT", "PL", "IE", "PT", "RO"}

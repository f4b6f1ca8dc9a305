package signals

import "github.com/mileusna/useragent"

// Our names of systems: the library's, and those that it does not know.
const (
	osWindows      = useragent.Windows
	osWindowsPhone = useragent.WindowsPhone
	osAndroid      = useragent.Android
	osMacOS        = useragent.MacOS
	osIOS          = useragent.IOS
	osLinux        = useragent.Linux
	osFreeBSD      = useragent.FreeBSD
	osChromeOS     = useragent.ChromeOS
	osBlackBerry   = useragent.BlackBerry
	osHarmony      = useragent.Harmony
	osTizen        = "Tizen"
	osWebOS        = "webOS"
	osVIDAA        = "VIDAA"
	osKaiOS        = "KaiOS"
	osWatchOS      = "watchOS"
	osFuchsia      = "Fuchsia"
	osTiVo         = "TiVo OS"
	osSymbian      = "Symbian"
)

// Our names of browsers, as far as the code asks for them.
const (
	browserChrome   = useragent.Chrome
	browserEdge     = useragent.Edge
	browserOpera    = useragent.Opera
	browserSafari   = useragent.Safari
	browserFirefox  = useragent.Firefox
	browserSamsung  = useragent.SamsungBrowser
	browserHeadless = useragent.HeadlessChrome
	browserExplorer = useragent.InternetExplorer
	browserYandex   = "Yandex Browser"
	browserHuawei   = "Huawei Browser"
	browserMiui     = "Miui Browser"
	browserWebView  = "Chrome WebView"
	browserAndroid  = "Android Browser"
	browserUC       = "UC Browser"
	browserQQ       = "QQ Browser"
	appFacebook     = useragent.FacebookApp
	appTikTok       = useragent.TiktokApp
)

// osMarks stand before what the library finds: systems that pose as another.
var osMarks = [...]mark{
	{"Windows Phone OS ", osWindowsPhone},
	{"Windows Phone ", osWindowsPhone},
	{"Tizen ", osTizen},
	{"Tizen/", osTizen},
	{"Web0S", osWebOS},
	{"webOS/", osWebOS},
	{"hpwOS/", osWebOS},
	{"VIDAA/", osVIDAA},
	{"KAIOS/", osKaiOS},
	{"watchOS/", osWatchOS},
	{"watchOS,", osWatchOS},
	{"TiVoOS/", osTiVo},
	{"OpenHarmony ", osHarmony},
	{"HarmonyOS", osHarmony},
	{"Fuchsia", osFuchsia},
}

// restMarks stand after what the library finds.
var restMarks = [...]mark{
	{"Android ", osAndroid},
	{"Android/", osAndroid},
	{"Adr ", osAndroid}, // UC Browser
	{"Android", osAndroid},
	{"android", osAndroid},
	{"iPhone OS ", osIOS},
	{"iOS ", osIOS},
	{"iOS/", osIOS},
	{"iOS", osIOS},
	{"iPadOS", osIOS},
	{"iPhone", osIOS},
	{"iPad", osIOS},
	{"FBSN/iOS", osIOS},
	{"CrOS", osChromeOS},
	{"Mac OS/", osMacOS},
	{"Mac OS X", osMacOS},
	{"macOS", osMacOS},
	{"Macintosh", osMacOS},
	{"Windows", osWindows},
	{"OpenBSD", "OpenBSD"},
	{"NetBSD", "NetBSD"},
	{"Symbian", osSymbian},
	{"BB10", osBlackBerry},
	{"BlackBerry", osBlackBerry},
	{"Linux", osLinux},
	{"linux", osLinux},
}

// windowsVersions are the names of Windows NT's versions.
var windowsVersions = map[string]string{
	"5.1": "XP", "5.2": "XP", "6.0": "Vista", "6.1": "7", "6.2": "8", "6.3": "8.1", "10.0": "10",
}

// tridentVersions are the versions of Internet Explorer by that of its engine.
var tridentVersions = map[string]string{"4.0": "8.0", "5.0": "9.0", "6.0": "10.0", "7.0": "11.0"}

// browserMarks name browsers and applications that show pages, with the version
// after them. The first that stands in a user agent counts: what poses as another
// comes before it.
var browserMarks = [...]mark{
	{"FBAV/", appFacebook},
	{"FBAN/", appFacebook},
	{"Instagram ", useragent.InstagramApp},
	{"Barcelona ", "Threads"},
	{"MicroMessenger/", "WeChat"},
	{"musical_ly_", appTikTok},
	{"trill_", appTikTok},
	{"BytedanceWebview/", appTikTok},
	{"KAKAOTALK ", "KakaoTalk"},
	{"KAKAOTALK/", "KakaoTalk"},
	{"Line/", "Line"},
	{"GSA/", "Google App"},
	{"Snapchat/", "Snapchat"},
	{"Pinterest/", "Pinterest"},
	{"LinkedInApp", "LinkedIn"},
	{"baiduboxapp/", "Baidu App"},
	{"YaBrowser/", browserYandex},
	{"YaSearchBrowser/", browserYandex},
	{"YandexSearchBrowser/", browserYandex},
	{"YandexSearch/", browserYandex},
	{"UCTurbo/", browserUC},
	{"UCBrowser/", browserUC},
	{"UC Browser", browserUC},
	{"UCWEB/", browserUC},
	{"UCWEB", browserUC},
	{"MQQBrowser/", browserQQ},
	{"QQBrowser/", browserQQ},
	{"MiuiBrowser/", browserMiui},
	{"HuaweiBrowser/", browserHuawei},
	{"SamsungBrowser/", browserSamsung},
	{"VivoBrowser/", "Vivo Browser"},
	{"HeyTapBrowser/", "HeyTap Browser"},
	{"MZBrowser/", "Meizu Browser"},
	{"PHX/", "Phoenix Browser"},
	{"Quark/", "Quark"},
	{"Puffin/", "Puffin"},
	{"Silk/", "Silk"},
	{"OculusBrowser/", "Oculus Browser"},
	{"OMI/", "Opera TV"},
	{"LG Browser/", "LG Browser"},
	{"Opera Mini/", useragent.OperaMini},
	{"OPR/", browserOpera},
	{"OPX/", browserOpera},
	{"OPT/", useragent.OperaTouch},
	{"OPiOS/", browserOpera},
	{"EdgiOS/", browserEdge},
	{"EdgA/", browserEdge},
	{"Edg/", browserEdge},
	{"Edge/", browserEdge},
	{"Vivaldi/", "Vivaldi"},
	{"Brave/", "Brave"},
	{"DuckDuckGo/", "DuckDuckGo"},
	{"Ddg/", "DuckDuckGo"},
	{"Whale/", "Whale"},
	{"FxiOS/", browserFirefox},
	{"CriOS/", browserChrome},
	{"HeadlessChrome/", browserHeadless},
	{"Electron/", "Electron"},
	{"Focus/", "Firefox Focus"},
	{"SeaMonkey/", "SeaMonkey"},
	{"PaleMoon/", "Pale Moon"},
	{"Firefox/", browserFirefox},
	{"NetFront/", useragent.NetFront},
	{"UP.Browser/", "Openwave"},
}

// otherMarks, in lower case, are of television sets, set-top boxes, consoles,
// watches, loudspeakers, glasses and cars.
var otherMarks = [...]string{
	"smarttv", "smart-tv", "smart tv", "hbbtv", "nettv", "appletv", "apple tv", "googletv", "google tv", "android tv",
	"androidtv", "mitv", "netrange", "netcast", "bravia", "aquos", "crkey", "roku", " tv safari", " tv)", " tv ", "_tv_", "tv bro",
	"omi/", "web0s", "stb", "; aft", "amazon;aft", "playstation", "xbox", "nintendo", "watch", "wear os", "oculus", "quest ",
	"sonos", "tesla/", "large screen", "set-top", "viera", "tbrowser", "ce-html", "opera tv", "odin/",
}

// botMarks, in lower case, are of programs that ask without a person.
var botMarks = [...]string{
	"headless", "phantomjs", "selenium", "puppeteer", "playwright", "scrapy", "nutch", "prober",
	"bingpreview", "url preview", "healthcheck", "health-check", "health check", "monitor", "check_http", "validator",
	"link checker", "google-", "googleother", "feedfetcher", "mediapartners", "lighthouse",
	"curl/", "libcurl/", "wget/", "python-requests", "python-urllib", "python-httpx", "aiohttp/", "go-http-client", "apache-httpclient", "java/",
	"libwww-perl", "axios/", "node-fetch", "undici", "guzzlehttp", "postmanruntime", "insomnia/", "httpie/", "ruby/", "libredtail",
}

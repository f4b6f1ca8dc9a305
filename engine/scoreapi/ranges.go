package scoreapi

import "strconv"

// span is the range of one number of the contract.
type span struct {
	pointer  string // of the field; of arrays and maps, what holds the numbers
	min, max float64
}

func (s *span) describe() string {
	return "a number from " + strconv.FormatFloat(s.min, 'f', -1, 64) + " to " + strconv.FormatFloat(s.max, 'f', -1, 64)
}

// The rows of ranges.
const (
	inRTT = iota
	inOffset
	inWidth
	inHeight
	inDepth
	inPixelRatio
	inCores
	inMemory
	inFonts
	inTouchPoints
	inLatitude
	inLongitude
	inKeys
	inRhythm
	inMoves
	inDistance
	inSpeed
	inStraightness
	inClicks
	inRightAngles
	inSmallAngles
	inDwell
	inFocusSwitches
	inFailures
	inCredentialAge
	inAccounts
	inReadTime
	inValidDays
	inHistoryDays
	inNonceFailures
	inExternal
)

// Upper ends that no honest measurement reaches. They are wide on purpose: what is
// merely strange is for the model to judge.
const (
	maxCount = 1e9
	maxMS    = 1e10 // 116 days
	maxDays  = 1e6
	maxPX    = 1e9
)

// ranges are those of every number of the contract; the OpenAPI document says the
// same. Amounts are strings and have no row.
var ranges = [...]span{
	inRTT:           {"/network/rtt_ms", 0, maxMS},
	inOffset:        {"/device/timezone_offset_min", -1440, 1440},
	inWidth:         {"/device/screen/width", 0, maxPX},
	inHeight:        {"/device/screen/height", 0, maxPX},
	inDepth:         {"/device/screen/depth", 0, 1024},
	inPixelRatio:    {"/device/screen/pixel_ratio", 0, 1000},
	inCores:         {"/device/cores", 0, maxCount},
	inMemory:        {"/device/memory_gib", 0, maxCount},
	inFonts:         {"/device/fonts", 0, maxCount},
	inTouchPoints:   {"/device/touch_points", 0, maxCount},
	inLatitude:      {"/device/latitude", -90, 90},
	inLongitude:     {"/device/longitude", -180, 180},
	inKeys:          {"/behaviour/keys/count", 0, maxCount},
	inRhythm:        {"/behaviour/keys/rhythm", -1e9, 1e9},
	inMoves:         {"/behaviour/pointer/moves", 0, maxCount},
	inDistance:      {"/behaviour/pointer/distance_px", 0, maxPX},
	inSpeed:         {"/behaviour/pointer/speed_px_s", 0, maxPX},
	inStraightness:  {"/behaviour/pointer/straightness", 0, 1},
	inClicks:        {"/behaviour/pointer/clicks", 0, maxCount},
	inRightAngles:   {"/behaviour/pointer/right_angles", 0, 1},
	inSmallAngles:   {"/behaviour/pointer/small_angles", 0, 1},
	inDwell:         {"/behaviour/form/dwell_ms", 0, maxMS},
	inFocusSwitches: {"/behaviour/form/focus_switches", 0, maxCount},
	inFailures:      {"/authentication/recent_failures", 0, maxCount},
	inCredentialAge: {"/authentication/credential_age_days", 0, maxDays},
	inAccounts:      {"/consent/accounts_selected", 0, maxCount},
	inReadTime:      {"/consent/read_time_ms", 0, maxMS},
	inValidDays:     {"/consent/valid_days", 0, maxDays},
	inHistoryDays:   {"/consent/history_days", 0, maxDays},
	inNonceFailures: {"/token/nonce_failures", 0, maxCount},
	inExternal:      {"/external", -1e15, 1e15},
}

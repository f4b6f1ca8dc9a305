package rba

// Longest is the longest history that the study tells of.
const Longest = 39

// Published is a curve of the study: the median number of challenges of a user
// after 1 to 39 logins, read off its figures; -1 where the line cannot be read.
type Published struct {
	Attacker string
	TPR      float64
	Counts   [Longest]float64
}

// published are the curves that the experiment is held against (figures of the
// study's first question, digitised; counts are whole numbers).
var published = [...]Published{
	{Naive, 0.995, [Longest]float64{
		-1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
	{VPN, 0.995, [Longest]float64{
		-1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, -1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3}},
	{Targeted, 0.99, [Longest]float64{
		-1, -1, -1, -1, 2, -1, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, -1, 3}},
	{Targeted, 0.995, [Longest]float64{
		-1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4}},
	{VeryTargeted, 0.83, [Longest]float64{
		-1, -1, -1, 3, 4, 5, 5, 6, 6, 7, 7, 7, 8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 7}},
	{VeryTargeted, 0.94, [Longest]float64{
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39}},
}

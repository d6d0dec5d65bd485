package bench

// Report is everything that was measured, and on what.
type Report struct {
	Cores           int           `json:"cores"`
	LoadBefore      *float64      `json:"load_before"` // of the last minute, before and at the end
	LoadAfter       *float64      `json:"load_after"`
	GoVersion       string        `json:"go_version"`
	PostgresVersion string        `json:"postgres_version"`
	DataRoot        string        `json:"data_root"`
	Disk            DiskFigure    `json:"disk"`
	Seconds         int           `json:"seconds"`
	Doors           []DoorFigure  `json:"webhooks"`
	Idle            IdleFigure    `json:"idle"`
	Drains          []DrainFigure `json:"backlogs"`
	Large           *LargeFigure  `json:"large"` // null: it was not measured
}

// DoorFigure is the front door under so many senders, beside the same done plainly
// and the machine's limit.
type DoorFigure struct {
	Clients  int           `json:"clients"`
	Limit    LimitFigure   `json:"limit"`
	Plain    WebhookFigure `json:"plain_river"`
	Webhooks WebhookFigure `json:"towpath"`
	ToLimit  float64       `json:"ratio_to_limit"`
	ToPlain  float64       `json:"ratio_to_plain_river"`
}

// sum fills in the means and ratios.
func (f DoorFigure) sum() DoorFigure {
	f.Limit.PerSecond, f.Plain.PerSecond, f.Webhooks.PerSecond = mean(f.Limit.Rounds), mean(f.Plain.Rounds), mean(f.Webhooks.Rounds)
	f.ToLimit, f.ToPlain = f.Webhooks.PerSecond/f.Limit.PerSecond, f.Webhooks.PerSecond/f.Plain.PerSecond
	return f
}

package ceremony

// Finding is one thing that was looked at: a role, a document, a blob.
type Finding struct {
	Subject string `json:"subject"`
	Holds   bool   `json:"holds"`
	Words   string `json:"words"`
}

package api

import (
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

// labReports shows what lab handsets said by name; their owners put them into
// the lab on purpose.
func (a *API) labReports(c *gin.Context) {
	ref, err := ref(c)
	var reports []store.LabReport
	if err == nil {
		reports, err = a.Votes.Ledger.LabReports(c.Request.Context(), ref)
	}
	out := contract.LabReportList{Reports: []contract.LabReportRow{}}
	for _, r := range reports {
		v, voteErr := vote.OfCell(r.Class, r.Cell)
		if voteErr != nil {
			err = voteErr
			break
		}
		outcome, reason := string(v.Outcome), string(v.Reason)
		out.Reports = append(out.Reports, contract.LabReportRow{
			DeviceKey: hex.EncodeToString(r.DeviceKey[:]), Batch: string(r.Batch), Class: string(r.Class), Outcome: &outcome, Reason: &reason,
			Failed: v.Failed(r.Class), At: r.At, Muted: r.Muted,
		})
	}
	a.reply(c, out, err)
}

// muteLab makes the engine deaf to a lab handset: a vote against a vote, so it
// is audited with a reason.
func (a *API) muteLab(c *gin.Context) {
	key, err := hex.DecodeString(c.Param("deviceKey"))
	if err != nil || len(key) != len(vote.DeviceKey{}) {
		a.fail(c, &refusal{code: contract.CodeBadRequest, detail: "is not a device key in hexadecimal", field: "deviceKey"})
		return
	}
	err = identity(c).CheckEverywhere(auth.Operate) // a handset belongs to no product
	var in contract.Change
	if err == nil {
		in, err = decode[contract.Change](c)
	}
	if err == nil && (in.Reason == nil || strings.TrimSpace(*in.Reason) == "") {
		err = &refusal{code: contract.CodeReasonNeeded, detail: "say why this handset is not to be believed, or is again", field: "reason"}
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	action := c.Param("action")
	entry := store.Entry{At: a.Now(), Who: identity(c).Who(), What: "lab." + action, Subject: c.Param("deviceKey"), Why: *in.Reason}
	if err := a.Votes.Ledger.MuteLab(c.Request.Context(), vote.DeviceKey(key), action == "mute", entry); err != nil {
		a.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

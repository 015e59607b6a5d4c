package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
)

// preview says what a plan would do; nothing is recorded.
func (a *API) preview(c *gin.Context) {
	q, err := questionOf(c)
	if err == nil {
		err = identity(c).Check(auth.Read, q.Plan.Product)
	}
	var p rollout.Preview
	if err == nil {
		p, err = a.Rollouts.Preview(c.Request.Context(), q)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, previewOf(&p))
}

func questionOf(c *gin.Context) (rollout.Question, error) {
	var in struct {
		contract.PreviewRequest
		Plan json.RawMessage `json:"plan"` // as it was sent, for the strict parser
	}
	if err := json.Unmarshal(body(c), &in); err != nil {
		return rollout.Question{}, &refusal{code: contract.CodeBadRequest, detail: "the body is not what the contract says"}
	}
	plan, err := policy.ParsePlan(in.Plan)
	q := rollout.Question{Plan: plan, Fleet: uint64(in.Fleet), OptIn: ppmOf(in.OptInPPM)}
	if h := in.Handset; h != nil && err == nil {
		q.Sample, err = sampleOf(h)
		q.Position = manifests.SharePPM(h.PositionPPM)
	}
	return q, err
}

func ppmOf(p *int) manifests.SharePPM {
	if p == nil {
		return 0
	}
	return manifests.SharePPM(*p)
}

// sampleOf is a handset on which everything else is well: charged, on a free
// network, at any hour, its owner having agreed to nothing and against nothing.
func sampleOf(in *contract.SampleHandset) (*policy.Handset, error) {
	h := &policy.Handset{Build: manifests.Build(in.Build), Conditions: policy.Conditions{BatteryPercent: 100, AllowAnyMinute: true}}
	for _, f := range []struct {
		name string
		text *string
		into *manifests.Name
	}{{"model", &in.Model, &h.Model}, {"region", in.Region, &h.Region}, {"channel", in.Channel, &h.Channel}} {
		if f.text == nil || *f.text == "" {
			continue
		}
		name, err := manifests.ParseName(*f.text)
		if err != nil {
			return nil, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "handset." + f.name}
		}
		*f.into = name
	}
	if in.SecurityEpoch != nil {
		h.Floor = manifests.SecurityEpoch(*in.SecurityEpoch)
	}
	return h, nil
}

func previewOf(p *rollout.Preview) contract.Preview {
	out := contract.Preview{
		Stages: []contract.StagePreview{}, OptInPPM: int(p.OptIn), OptInSource: contract.PreviewOptInSource(p.OptInSource), BadBuildPPM: int(rollout.BadBuild),
		Harmed: float32(p.Harmed), HarmedAtMost: int64(p.HarmedAtMost), Warnings: p.Warnings, Sentence: p.Sentence, EarliestFinish: timeOf(p.Finish),
	}
	if out.Warnings == nil {
		out.Warnings = []string{}
	}
	for i := range p.Stages {
		out.Stages = append(out.Stages, stagePreviewOf(&p.Stages[i]))
	}
	return out
}

func stagePreviewOf(s *rollout.StagePreview) contract.StagePreview {
	halted, need := float32(s.Halted), int64(s.HandsetsToPass)
	out := contract.StagePreview{
		SharePPM: int(s.Stage.Share), Handsets: int64(s.Handsets), Votes: s.Votes, VotesToPass: &s.VotesToPass, HandsetsToPass: &need,
		Decides: s.Decides, Approvals: s.People, HaltedChance: &halted, WaitsForPace: &s.WaitsForPace, Earliest: timeOf(s.Earliest),
	}
	if d := s.Sample; d != nil {
		code, words := "offer", ""
		if d.Hold != nil {
			code, words = string(d.Hold.Code), d.Hold.Sentence
		} else {
			words = d.Offer.Why
		}
		out.SampleCode, out.Sample = &code, &words
	}
	return out
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// planStages chooses stages that keep a budget.
func (a *API) planStages(c *gin.Context) {
	in, err := decode[contract.StagesRequest](c)
	if err != nil {
		a.fail(c, err)
		return
	}
	w := rollout.Wish{OptIn: ppmOf(in.OptInPPM), Failures: ppmOf(in.FailuresPPM), Budget: policy.Budget{Fleet: uint64(in.Fleet)}}
	if in.MaxHarmed > 0 && in.MaxHarmed <= 1<<31 {
		w.Budget.MaxHarmed = uint32(in.MaxHarmed)
	}
	if w.Soak, err = manifests.ParseDuration(in.Soak); err != nil {
		a.fail(c, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "soak"})
		return
	}
	if in.Product != nil && w.OptIn == 0 {
		w.OptIn, err = a.optInOf(c, *in.Product, w.Budget.Fleet)
	}
	if w.OptIn == 0 {
		w.OptIn = rollout.AssumedOptIn
	}
	var stages []policy.Stage
	if err == nil {
		stages, err = rollout.Stages(w)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, contract.StageList{Stages: stagesOf(stages), Sentence: rollout.StagesInWords(w, stages)})
}

func (a *API) optInOf(c *gin.Context, product string, fleet uint64) (manifests.SharePPM, error) {
	p, err := manifests.ParseProduct(product)
	if err != nil {
		return 0, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "product"}
	}
	if err := identity(c).Check(auth.Read, p); err != nil {
		return 0, err
	}
	return a.Rollouts.OptIn(c.Request.Context(), p, fleet)
}

// template and rescue give plans to start from.
func (a *API) template(c *gin.Context) {
	r, build, err := a.rolloutAndBuild(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	p := r.Template(build)
	c.JSON(http.StatusOK, planOf(&p))
}

func (a *API) rescue(c *gin.Context) {
	r, build, err := a.rolloutAndBuild(c)
	var p policy.Plan
	if err == nil {
		p, err = a.Rollouts.Rescue(c.Request.Context(), r.ID, build)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, planOf(&p))
}

func (a *API) rolloutAndBuild(c *gin.Context) (rollout.Rollout, manifests.Build, error) {
	r, err := a.rollout(c, auth.Read)
	if err != nil {
		return r, 0, err
	}
	n, err := strconv.ParseUint(c.Query("build"), 10, 53)
	if err != nil || n == 0 {
		return r, 0, &refusal{code: contract.CodeBadRequest, detail: "give a build above 0", field: "build"}
	}
	return r, manifests.Build(n), nil
}

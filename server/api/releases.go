package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// decode reads a body that the contract has been held against.
func decode[T any](c *gin.Context) (T, error) {
	var v T
	if err := json.Unmarshal(body(c), &v); err != nil {
		return v, &refusal{code: contract.CodeBadRequest, detail: "the body is not what the contract says"}
	}
	return v, nil
}

// reply answers with v, or with a problem.
func (a *API) reply(c *gin.Context, v any, err error) {
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	a.sendJSON(c, v)
}

func (a *API) startUpload(c *gin.Context) {
	r, err := decode[contract.UploadRequest](c)
	if err != nil {
		a.fail(c, err)
		return
	}
	hash, err := manifests.ParseSHA256(r.Sha256)
	if err != nil {
		a.fail(c, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "sha256"})
		return
	}
	// It may have to make a blob of what a dead server left.
	if err := unsupported(http.NewResponseController(c.Writer).SetWriteDeadline(patience(2 * maxPiece))); err != nil {
		a.Log.Warn("an upload keeps its deadline", "error", err)
	}
	s, err := a.Uploads.Begin(c.Request.Context(), identity(c).ID, manifests.Blob{SHA256: hash, Size: r.Size})
	a.reply(c, uploadOf(s), err)
}

func uploadOf(s release.Status) contract.Upload {
	return contract.Upload{Id: s.ID, Offset: s.Offset, Size: s.Size, Complete: s.Complete}
}

func (a *API) getUpload(c *gin.Context) {
	s, err := a.Uploads.Get(c.Request.Context(), identity(c).ID, c.Param("id"))
	a.reply(c, uploadOf(s), err)
}

func (a *API) appendUpload(c *gin.Context) {
	offset, err := strconv.ParseInt(c.GetHeader("Upload-Offset"), 10, 64)
	if err != nil {
		a.fail(c, &refusal{code: contract.CodeBadRequest, detail: "is not a number", field: "Upload-Offset"})
		return
	}
	control := http.NewResponseController(c.Writer)
	if err := unsupported(control.SetReadDeadline(patience(maxPiece))); err != nil {
		a.Log.Warn("an upload keeps its deadline", "error", err)
	}
	if err := unsupported(control.SetWriteDeadline(patience(2 * maxPiece))); err != nil {
		a.Log.Warn("an upload keeps its deadline", "error", err)
	}
	s, err := a.Uploads.Append(c.Request.Context(), identity(c).ID, c.Param("id"), offset, c.Request.Body)
	a.reply(c, uploadOf(s), err)
}

func (a *API) submit(c *gin.Context) {
	r, err := decode[contract.Submission](c)
	if err != nil {
		a.fail(c, err)
		return
	}
	s := publish.Submission{Metadata: r.Metadata}
	if r.Targets != nil {
		s.Targets = *r.Targets
	}
	who, ctx := identity(c), c.Request.Context()
	result, err := a.Intake.Submit(ctx, who.Who(), s, func(p manifests.Product) error { return who.Check(auth.Submit, p) })
	if err == nil {
		err = a.Rollouts.Settle(ctx)
	}
	if result.Accepted == nil {
		result.Accepted = []string{}
	}
	a.reply(c, contract.SubmissionResult{Accepted: result.Accepted, Snapshot: result.Snapshot}, err)
}

func (a *API) listProducts(c *gin.Context) {
	list, err := a.Ledger.Products(c.Request.Context())
	out := contract.ProductList{Products: []string{}}
	for _, p := range list {
		if identity(c).Check(auth.Read, p.Name) == nil {
			out.Products = append(out.Products, string(p.Name))
		}
	}
	a.reply(c, out, err)
}

// ref reads product and build of a path, and who may see them.
func ref(c *gin.Context) (vote.Ref, error) {
	product, err := manifests.ParseProduct(c.Param("product"))
	if err != nil {
		return vote.Ref{}, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "product"}
	}
	r := vote.Ref{Product: product}
	if text := c.Param("build"); text != "" {
		if r.Build, err = manifests.ParseBuild(text); err != nil {
			return r, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "build"}
		}
	}
	return r, identity(c).Check(auth.Read, product)
}

func (a *API) listReleases(c *gin.Context) {
	r, err := ref(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	ctx := c.Request.Context()
	list, err := a.Ledger.Releases(ctx, r.Product)
	if err != nil {
		a.fail(c, err)
		return
	}
	state, err := a.Tree.State(ctx)
	out := contract.ReleaseList{Releases: []contract.Release{}}
	for _, have := range list {
		if have.State == store.ReleaseStaged {
			continue
		}
		one := releaseOf(have, nil)
		if doc, err := manifests.ParseRelease(state.Documents[have.Path]); err == nil {
			one.Risk = string(doc.Risk)
		}
		out.Releases = append(out.Releases, one)
	}
	a.reply(c, out, err)
}

func (a *API) voteKeys(c *gin.Context) {
	r, err := ref(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	primary, spare, err := a.Votes.PublicKeys(r)
	a.reply(c, contract.VoteKeys{Product: string(r.Product), Build: int64(r.Build), Primary: keySet(primary), Spare: keySet(spare)}, err)
}

func keySet(s manifests.VoteKeySet) contract.VoteKeySet {
	text := func(k manifests.VoteKey) string { return base64.StdEncoding.EncodeToString(k[:]) }
	return contract.VoteKeySet{Attempt: text(s.Attempt), Trial: text(s.Trial), Refusal: text(s.Refusal), Regression: text(s.Regression)}
}

func (a *API) counts(c *gin.Context) {
	r, err := ref(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	n, err := a.Votes.Shown(c.Request.Context(), r)
	out := contract.Counts{
		Product: string(r.Product), Build: int64(r.Build), Attempts: n.Attempts, Trials: n.Trials, Healthy: n.Healthy,
		RolledBack: n.RolledBack, Refusals: n.Declined + n.NotTried, Regressions: n.Regressions, Refused: a.refused.Load(),
		Reasons: map[string]int64{}, Masked: &n.Masked,
	}
	for _, reasons := range n.Reasons {
		for reason, count := range reasons {
			out.Reasons[string(reason)] += count
		}
	}
	a.reply(c, out, err)
}

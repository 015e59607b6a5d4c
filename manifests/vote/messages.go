package vote

import (
	"crypto/ed25519"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// MaxMessageBytes bounds the JSON body of every request and answer here.
const MaxMessageBytes = 8 << 10

// EnrolRequest makes a device key known. Credential is the PEM form of the
// factory certificate, optionally followed by its batch CA.
type EnrolRequest struct {
	DeviceKey  DeviceKey `json:"deviceKey"`
	Credential string    `json:"credential"`
	Signature  Signature `json:"credentialSignature"`
}

// Sign proves the credential key.
func (r *EnrolRequest) Sign(credential ed25519.PrivateKey) {
	r.Signature = sign(credential, r.message())
}

// SignedBy tells whether the credential key signed the request.
func (r *EnrolRequest) SignedBy(credential ed25519.PublicKey) bool {
	return ed25519.Verify(credential, r.message(), r.Signature[:])
}

func (r *EnrolRequest) message() []byte { return frame("candor-enrol-v1", r.DeviceKey[:]) }

// WithdrawRequest deletes an enrolment.
type WithdrawRequest struct {
	DeviceKey DeviceKey `json:"deviceKey"`
	Signature Signature `json:"deviceSignature"`
}

// Sign proves the device key.
func (r *WithdrawRequest) Sign(device ed25519.PrivateKey) { r.Signature = sign(device, r.message()) }

// Signed tells whether the device key signed the request.
func (r *WithdrawRequest) Signed() bool {
	return ed25519.Verify(r.DeviceKey[:], r.message(), r.Signature[:])
}

func (r *WithdrawRequest) message() []byte { return frame("candor-withdraw-v1", r.DeviceKey[:]) }

// IssueRequest asks for one token. It carries both proofs: of the enrolled
// device key, and of the credential, by which a handset that enrols again is
// known as one that already has its token.
type IssueRequest struct {
	Product             manifests.Product `json:"product"`
	Build               manifests.Build   `json:"build"`
	Class               Class             `json:"class"`
	Set                 Set               `json:"set"`
	Blinded             Blinded           `json:"blinded"`
	DeviceKey           DeviceKey         `json:"deviceKey"`
	DeviceSignature     Signature         `json:"deviceSignature"`
	Credential          string            `json:"credential"`
	CredentialSignature Signature         `json:"credentialSignature"`
}

// Ref names the release.
func (r *IssueRequest) Ref() Ref { return Ref{r.Product, r.Build} }

// Sign proves both keys.
func (r *IssueRequest) Sign(device, credential ed25519.PrivateKey) {
	r.DeviceSignature = sign(device, r.message("candor-issue-device-v1"))
	r.CredentialSignature = sign(credential, r.message("candor-issue-credential-v1"))
}

// SignedByDevice tells whether the device key signed the request.
func (r *IssueRequest) SignedByDevice() bool {
	return ed25519.Verify(r.DeviceKey[:], r.message("candor-issue-device-v1"), r.DeviceSignature[:])
}

// SignedBy tells whether the credential key signed the request.
func (r *IssueRequest) SignedBy(credential ed25519.PublicKey) bool {
	return ed25519.Verify(credential, r.message("candor-issue-credential-v1"), r.CredentialSignature[:])
}

func (r *IssueRequest) message(label string) []byte {
	ref := r.Ref()
	return frame(label, ref.product(), ref.build(), []byte(r.Class), []byte(r.Set), r.Blinded[:], r.DeviceKey[:])
}

// IssueResponse answers an IssueRequest.
type IssueResponse struct {
	Evaluated Evaluated `json:"evaluated"`
	Proof     Proof     `json:"proof"`
}

// CastRequest spends a token. Nothing in it says who sends it.
type CastRequest struct {
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Class   Class             `json:"class"`
	Set     Set               `json:"set"`
	Nonce   Nonce             `json:"nonce"`
	Vote    Vote              `json:"vote"`
	MAC     MAC               `json:"mac"`
}

// Ref names the release.
func (r *CastRequest) Ref() Ref { return Ref{r.Product, r.Build} }

// LabReport is the vote of a lab handset, which its owner identifies on
// purpose: signed with the enrolled device key instead of redeemed.
type LabReport struct {
	Product   manifests.Product `json:"product"`
	Build     manifests.Build   `json:"build"`
	Class     Class             `json:"class"`
	Vote      Vote              `json:"vote"`
	DeviceKey DeviceKey         `json:"deviceKey"`
	Signature Signature         `json:"deviceSignature"`
}

// Ref names the release.
func (r *LabReport) Ref() Ref { return Ref{r.Product, r.Build} }

// Sign proves the device key. It fails only on a vote that is not valid.
func (r *LabReport) Sign(device ed25519.PrivateKey) error {
	m, err := r.message()
	if err != nil {
		return err
	}
	r.Signature = sign(device, m)
	return nil
}

// Signed tells whether the device key signed the report.
func (r *LabReport) Signed() bool {
	m, err := r.message()
	return err == nil && ed25519.Verify(r.DeviceKey[:], m, r.Signature[:])
}

func (r *LabReport) message() ([]byte, error) {
	if err := r.Vote.validate(r.Class, "vote."); err != nil {
		return nil, err
	}
	body, err := r.Vote.Canonical()
	ref := r.Ref()
	return frame("candor-lab-v1", ref.product(), ref.build(), []byte(r.Class), body, r.DeviceKey[:]), err
}

func sign(key ed25519.PrivateKey, message []byte) Signature {
	return Signature(ed25519.Sign(key, message))
}

// ParseEnrol reads an enrolment.
func ParseEnrol(data []byte) (*EnrolRequest, error) {
	r := new(EnrolRequest)
	return r, strict.Decode(data, MaxMessageBytes, r)
}

// ParseWithdraw reads a withdrawal.
func ParseWithdraw(data []byte) (*WithdrawRequest, error) {
	r := new(WithdrawRequest)
	return r, strict.Decode(data, MaxMessageBytes, r)
}

// ParseIssue reads a request for a token.
func ParseIssue(data []byte) (*IssueRequest, error) {
	r := new(IssueRequest)
	if err := strict.Decode(data, MaxMessageBytes, r); err != nil {
		return nil, err
	}
	return r, checkBuild(r.Build)
}

// ParseIssued reads the answer to a request for a token.
func ParseIssued(data []byte) (*IssueResponse, error) {
	r := new(IssueResponse)
	return r, strict.Decode(data, MaxMessageBytes, r)
}

// ParseCast reads a vote that is being cast.
func ParseCast(data []byte) (*CastRequest, error) {
	r := new(CastRequest)
	if err := strict.Decode(data, MaxMessageBytes, r); err != nil {
		return nil, err
	}
	if err := checkBuild(r.Build); err != nil {
		return nil, err
	}
	return r, r.Vote.validate(r.Class, "vote.")
}

// ParseLab reads a lab report.
func ParseLab(data []byte) (*LabReport, error) {
	r := new(LabReport)
	if err := strict.Decode(data, MaxMessageBytes, r); err != nil {
		return nil, err
	}
	if err := checkBuild(r.Build); err != nil {
		return nil, err
	}
	return r, r.Vote.validate(r.Class, "vote.")
}

func checkBuild(b manifests.Build) error {
	if b == 0 {
		return strict.Refuse("build", "is 0; builds count from 1")
	}
	return nil
}

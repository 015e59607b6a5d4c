package token

import (
	"strings"
	"testing"
)

const softhsm = "?module-path=/usr/lib/softhsm/libsofthsm2.so"

func TestURIIsReadAsWritten(t *testing.T) {
	u, err := Parse("pkcs11:model=SoftHSM%20v2;token=Root%20keys;serial=f00d;id=%01%0A;object=a%3bb;type=private" + softhsm)
	if err != nil {
		t.Fatal(err)
	}
	if u.Token != "Root keys" || u.Serial != "f00d" || string(u.ID) != "\x01\n" || u.Object != "a;b" || u.Model != "SoftHSM v2" || u.Module != "/usr/lib/softhsm/libsofthsm2.so" {
		t.Errorf("%+v", u)
	}
	want := "pkcs11:model=SoftHSM%20v2;serial=f00d;token=Root%20keys;id=%01%0A;object=a%3Bb" + softhsm
	if u.String() != want {
		t.Errorf("written as\n%s, expected\n%s", u, want)
	}
}

func TestBadURIsAreRefusedWithWhatToDo(t *testing.T) {
	for text, says := range map[string]string{
		"":                        "begins with",
		"http://x":                "begins with",
		"pkcs11:token=a;object=b": "module-path",
		"pkcs11:token=a;object=b?module-path=lib.so":           "not absolute",
		"pkcs11:object=b" + softhsm:                            "token=LABEL",
		"pkcs11:token=a" + softhsm:                             "object=LABEL",
		"pkcs11:token=a;token=b;object=c" + softhsm:            "twice",
		"pkcs11:token=;object=c" + softhsm:                     "empty",
		"pkcs11:token=a%0ab;object=c" + softhsm:                "line of text",
		"pkcs11:token=%zz;object=c" + softhsm:                  "invalid URL escape",
		"pkcs11:token=a;object=c;x-own=1" + softhsm:            "not known",
		"pkcs11:token=a;object=c;module-path=/x":               "not known",
		"pkcs11:token=a;object" + softhsm:                      "name=value",
		"pkcs11:token=a;object=c" + softhsm + "&pin-value=12":  "does not belong",
		"pkcs11:token=a;object=c" + softhsm + "&pin-source=/p": "--passphrase-file",
		"pkcs11:token=a;object=c;slot-id=1" + softhsm:          "numbered anew",
		"pkcs11:" + strings.Repeat("a", maxURI):                "at most",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, expected %q", text, err, says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("pkcs11:token=Root%20keys;serial=f00d;id=%01;object=a%3bb;type=private" + softhsm)
	f.Add("pkcs11:token=a;object=b?module-path=/x&pin-value=1")
	f.Add("pkcs11:;;;?&&&")
	f.Add("pkcs11:id=%00%ff;serial=1?module-path=/a/../b")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(u.String())
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q is written as %q and read back as %q, %v", text, u, again, err)
		}
	})
}

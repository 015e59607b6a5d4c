package ceremony_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/world"
)

const product = manifests.Product("phone")

var ctx = context.Background()

// people of the ceremony, each with a computer of their own.
var people = []string{"alice", "bob", "carol", "dan", "eve", "hal", "desk"}

// TestCeremony runs the scripts in testdata/script. Each begins with a real
// server ($SERVER), a folder for each person, with a token for the server in
// it (token) and a passphrase (pw), and an empty PKCS#11 token of Hal's.
func TestCeremony(t *testing.T) {
	programs := build(t)
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { return setUp(t, env, programs) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent": agent, "airgapped": airgapped, "image": image, "author": author, "words": words, "opened": opened, "installs": installs, "online": online, "root": root,
		},
	})
}

// build makes the signer that can use PKCS#11 tokens.
func build(t *testing.T) string {
	t.Helper()
	module, err := world.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "-tags", "pkcs11", "-exec", "cp", "./signer", filepath.Join(dir, "candor-signer"))
	cmd.Dir, cmd.Env = module, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return dir
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world.World { return ts.Value(worldKey{}).(*world.World) }

func setUp(t *testing.T, env *testscript.Env, programs string) error {
	w, err := world.New(ctx, filepath.Join(env.WorkDir, "house"))
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	env.Values[worldKey{}] = w
	for _, p := range people {
		dir := filepath.Join(env.WorkDir, p)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		token, err := w.NewToken(ctx, p, "engineer")
		if err != nil {
			return err
		}
		for name, text := range map[string]string{"pw": "a passphrase of " + p, "token": token} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
				return err
			}
		}
	}
	module, err := softHSM(env.WorkDir)
	if err != nil {
		return err
	}
	env.Setenv("SERVER", w.Server)
	env.Setenv("MODULE", module)
	env.Setenv("SOFTHSM2_CONF", filepath.Join(env.WorkDir, "softhsm2.conf"))
	env.Setenv("PATH", programs+string(os.PathListSeparator)+w.Path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	return nil
}

// softHSM makes a place for tokens and finds the module.
func softHSM(dir string) (string, error) {
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		return "", err
	}
	conf := "directories.tokendir = " + filepath.Join(dir, "tokens") + "\nlog.level = ERROR\n"
	if err := os.WriteFile(filepath.Join(dir, "softhsm2.conf"), []byte(conf), 0o600); err != nil {
		return "", err
	}
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no libsofthsm2.so; install softhsm2")
}

// agent SOCKET starts an ssh-agent, which ends with the script.
func agent(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("ssh-agent", "-D", "-a", ts.MkAbs(args[0]))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		if err := cmd.Process.Kill(); err != nil {
			ts.Logf("end ssh-agent: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			ts.Logf("ssh-agent: %v", err)
		}
	})
	// It says where it listens once it does.
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		ts.Fatalf("ssh-agent says nothing: %v", err)
	}
	ts.Setenv("SSH_AUTH_SOCK", ts.MkAbs(args[0]))
}

// airgapped runs the signer without a network: in a network namespace of its
// own where the system allows one, and without the server's address.
func airgapped(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Getenv("SERVER")
	ts.Setenv("SERVER", "")
	defer ts.Setenv("SERVER", server)
	program, rest := "candor-signer", args
	if exec.Command("unshare", "-rn", "true").Run() == nil {
		program, rest = "unshare", append([]string{"-rn", "candor-signer"}, args...)
	} else {
		ts.Logf("this system gives no network namespace; the signer runs beside the network, without an address")
	}
	if err := ts.Exec(program, rest...); (err != nil) != neg {
		ts.Fatalf("airgapped %s: %v", strings.Join(args, " "), err)
	}
}

// image NAME SEED [CHANGED] makes an image; CHANGED bytes at its beginning
// differ from those that the seed gives.
func image(ts *testscript.TestScript, _ bool, args []string) {
	seed := [32]byte{args[1][0]}
	b := make([]byte, 3<<20)
	if _, err := rand.NewChaCha8(seed).Read(b); err != nil {
		ts.Fatalf("%v", err)
	}
	if len(args) > 2 {
		copy(b, args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// author FILE BUILD writes a release as its author would.
func author(ts *testscript.TestScript, _ bool, args []string) {
	build, err := manifests.ParseBuild(args[1])
	ts.Check(err)
	text, err := world.Example(product, build, "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// words FILE leaves the fingerprint of a proposal, as people read it to each
// other, for the next command's standard input.
func words(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("candor-signer", "event", "status", args[0]))
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if w, ok := strings.CutPrefix(line, "fingerprint:"); ok {
			ts.Check(os.WriteFile(ts.MkAbs("words"), []byte(strings.TrimSpace(w)+"\n"), 0o600))
			return
		}
	}
	ts.Fatalf("no fingerprint in the status of %s", args[0])
}

// opened NAME reads the ID of an event from what was printed last.
func opened(ts *testscript.TestScript, _ bool, args []string) {
	var event struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &event))
	ts.Setenv(args[0], event.ID)
}

// online FILE writes the public keys of the server.
func online(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(worldOf(ts).Path("data", "online-keys.json"))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// root FILE fetches the first root, which handsets leave the factory with.
func root(ts *testscript.TestScript, _ bool, args []string) {
	var b []byte
	ts.Check(worldOf(ts).Call(ctx, http.MethodGet, "/metadata/1.root.json", nil, &b))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// installs BUILD ROOT FACTORY opens the build to all, and has a handset that
// left the factory with this root and image install it.
func installs(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	build, err := manifests.ParseBuild(args[0])
	ts.Check(err)
	_, err = w.Open(ctx, &rollout.Plan{
		Product: product, Build: build, Channel: "stable", Kind: manifests.KindNormal,
		Deferral: manifests.Duration{Duration: 7 * 24 * time.Hour}, Stages: []rollout.Stage{{Share: manifests.WholeFleet}},
	})
	ts.Check(err)
	trusted, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Check(os.WriteFile(w.Path("1.root.json"), trusted, 0o600))
	phone, err := w.NewPhone(ctx, world.Factory{Dir: "phone", Product: product, Image: ts.MkAbs(args[2]), Build: 41, Epoch: 1, Version: "factory"})
	ts.Check(err)
	ts.Check(phone.Accept(ctx, build))
	s, err := phone.Once(ctx)
	ts.Check(err)
	if (s.Build == build) == neg {
		ts.Fatalf("the handset runs build %d: %s", s.Build, s.Status.Sentence)
	}
}

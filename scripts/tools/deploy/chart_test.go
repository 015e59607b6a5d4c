package deploy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const chart = "../../../server/deploy/helm/candor"

const larger = `
replicas: 3
keysSecret: candor-keys
config:
  log: {format: json}
  ledger: {postgres: {url: "postgres://candor@db/candor", passwordFile: /secrets/postgres/password}}
  s3: {endpoint: s3.example.org, bucket: candor, accessKeyFile: /secrets/s3/access, secretKeyFile: /secrets/s3/secret}
secretMounts: [{name: postgres, secretName: pg}, {name: s3, secretName: s3}]
`

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// render does what `helm template` does.
func render(t *testing.T, text string) ([]map[string]any, error) {
	t.Helper()
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	v, err := chartutil.ToRenderValues(c, values(t, text), chartutil.ReleaseOptions{Name: "ota", Namespace: "firmware", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, v)
	if err != nil {
		return nil, err
	}
	var out []map[string]any
	for name, text := range files {
		for _, document := range strings.Split(text, "\n---") {
			var o map[string]any
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			if o == nil {
				continue
			}
			known(t, name, document, fmt.Sprint(o["kind"]))
			out = append(out, o)
		}
	}
	return out, nil
}

// known decodes an object strictly into its type of Kubernetes: a field that is
// not one, or of another type, is an error.
func known(t *testing.T, name, document, kind string) {
	t.Helper()
	if kind == "ServiceMonitor" { // of the Prometheus operator
		return
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(document), nil, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func kinds(list []map[string]any) string {
	count := map[string]int{}
	for _, o := range list {
		count[fmt.Sprint(o["kind"])]++
	}
	return strings.TrimPrefix(fmt.Sprint(count), "map")
}

func TestChartPassesHelmsLint(t *testing.T) {
	for _, text := range []string{"", larger} {
		for _, m := range lint.All(chart, values(t, text), "firmware", true).Messages {
			if m.Severity >= support.WarningSev {
				t.Error(m)
			}
		}
	}
}

func TestChartRendersWhatKubernetesKnows(t *testing.T) {
	for text, want := range map[string]string{
		"":     "[ConfigMap:1 NetworkPolicy:1 PodDisruptionBudget:1 Service:3 StatefulSet:1]",
		larger: "[ConfigMap:1 NetworkPolicy:1 PodDisruptionBudget:1 Service:3 StatefulSet:1]",
		"podDisruptionBudget: {enabled: false}\nnetworkPolicy: {enabled: false}\nserviceMonitor: {enabled: true, labels: {release: prometheus}}\ntlsSecret: tls\nservice: {type: LoadBalancer, port: 443}":                                                                                                  "[ConfigMap:1 Service:3 ServiceMonitor:1 StatefulSet:1]",
		"networkPolicy: {from: [{ipBlock: {cidr: 10.0.0.0/8}}], metricsFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}\nnodeSelector: {a: b}\ntolerations: [{key: x, operator: Exists}]\naffinity: {nodeAffinity: {}}\nimagePullSecrets: [{name: pull}]\npersistence: {storageClass: fast}": "[ConfigMap:1 NetworkPolicy:1 PodDisruptionBudget:1 Service:3 StatefulSet:1]",
	} {
		list, err := render(t, text)
		if err != nil || kinds(list) != want {
			t.Errorf("%s: %s, %v; want %s", text, kinds(list), err, want)
		}
	}
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for text, word := range map[string]string{
		"replicas: 2": "more than one needs config.ledger.postgres and config.s3",
		"replicas: 2\nconfig: {s3: {endpoint: x}}":                  "more than one needs",
		"replicas: 2\nconfig: {ledger: {postgres: {url: x}}}":       "more than one needs",
		"config: {ledger: {postgres: {url: x}}, s3: {endpoint: x}}": "keysSecret",
		"config: {listen: \"127.0.0.1:1\"}":                         "config.listen",
		"replicas: 0":                                               "replicas",
		"replica: 3":                                                "replica",
		"secretMounts: [{name: \"../x\", secretName: y}]":           "secretMounts",
	} {
		if list, err := render(t, text); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, %v", text, kinds(list), err)
		}
	}
}

// pod gives the pod of the rendered StatefulSet.
func pod(t *testing.T, text string) (appsv1.StatefulSet, corev1.PodSpec) {
	t.Helper()
	list, err := render(t, text)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		if o["kind"] == "StatefulSet" {
			data, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			var s appsv1.StatefulSet
			if err := yaml.UnmarshalStrict(data, &s); err != nil {
				t.Fatal(err)
			}
			return s, s.Spec.Template.Spec
		}
	}
	t.Fatal("there is no StatefulSet")
	return appsv1.StatefulSet{}, corev1.PodSpec{}
}

func TestPodsAreHardenedAndProbed(t *testing.T) {
	for _, text := range []string{"", larger} {
		s, p := pod(t, text)
		shared := text == larger
		if (len(s.Spec.VolumeClaimTemplates) == 0) != shared || (len(p.InitContainers) == 0) != shared {
			t.Errorf("%d claims, %d init containers", len(s.Spec.VolumeClaimTemplates), len(p.InitContainers))
		}
		if p.SecurityContext.RunAsNonRoot == nil || !*p.SecurityContext.RunAsNonRoot || p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" || *p.AutomountServiceAccountToken {
			t.Errorf("the pod is %+v", p.SecurityContext)
		}
		for _, c := range append(p.InitContainers, p.Containers...) {
			x := c.SecurityContext
			if !*x.ReadOnlyRootFilesystem || *x.AllowPrivilegeEscalation || len(x.Capabilities.Drop) != 1 || x.Capabilities.Drop[0] != "ALL" {
				t.Errorf("%s is %+v", c.Name, x)
			}
			mounted := map[string]bool{}
			for _, m := range c.VolumeMounts {
				mounted[m.Name] = true
			}
			for _, v := range p.Volumes {
				delete(mounted, v.Name)
			}
			if !shared {
				delete(mounted, "data")
			}
			if len(mounted) > 0 {
				t.Errorf("%s mounts what is not there: %v", c.Name, mounted)
			}
		}
		c := p.Containers[0]
		if c.LivenessProbe.HTTPGet.Path != "/livez" || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.StartupProbe == nil {
			t.Errorf("the probes are %+v", c)
		}
		if bytes.Contains([]byte(fmt.Sprint(p)), []byte("PRIVATE")) {
			t.Error("a secret is in the pod's own text")
		}
	}
}

package api

import "github.com/prometheus/client_golang/prometheus"

// figures sends those of one reading.
type figures chan<- prometheus.Metric

// gauge sends what stands so now.
func (out figures) gauge(d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// total sends what only rises while the process lives.
func (out figures) total(d *prometheus.Desc, n int64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

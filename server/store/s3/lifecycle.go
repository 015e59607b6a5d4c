package s3

import (
	"context"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/lifecycle"
)

// Removes names the rules of the bucket's lifecycle that remove objects of
// ours; known is false where the service does not say.
func (b *Blobs) Removes(ctx context.Context) (rules []string, known bool, err error) {
	var c *lifecycle.Configuration
	err = b.try(ctx, b.answerTime, func(ctx context.Context) (err error) {
		c, err = b.core.GetBucketLifecycle(ctx, b.bucket)
		return err
	})
	if err != nil {
		switch minio.ToErrorResponse(err).Code {
		case "NoSuchLifecycleConfiguration":
			return nil, true, nil
		case "NotImplemented", "MethodNotAllowed", "AccessDenied":
			return nil, false, nil
		}
		return nil, false, b.named("lifecycle", err)
	}
	for _, r := range c.Rules {
		prefix := r.RuleFilter.Prefix
		if prefix == "" {
			prefix = r.Prefix
		}
		ours := strings.HasPrefix(prefix, b.prefix) || strings.HasPrefix(b.prefix, prefix)
		if r.Status == "Enabled" && ours && (!r.Expiration.IsNull() || r.Expiration.Days > 0) {
			rules = append(rules, r.ID)
		}
	}
	return rules, true, nil
}

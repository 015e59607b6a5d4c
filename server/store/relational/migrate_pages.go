package relational

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// The channel of a rollout's plan, read from its document: indexes have it, so
// that rollouts of one channel are found without their documents being read. A
// server of the version before, which knows of no channel, keeps them right.
const (
	ChannelSQLite   = `CASE WHEN json_valid(document) THEN json_extract(document, '$.plan.channel') END`
	ChannelPostgres = `(document::json #>> '{plan,channel}')`
)

// pagesMigration keeps lists of rollouts, and how many there are, from costing
// more the longer the history is. It is in Go because each engine has triggers
// and JSON of its own.
func pagesMigration(d goose.Dialect) *goose.Migration {
	channel, count, uncount := ChannelSQLite, countSQLite, uncountSQLite
	if d == goose.DialectPostgres {
		channel, count, uncount = ChannelPostgres, countPostgres, uncountPostgres
	}
	return goose.NewGoMigration(12, run(append(pagesUp(channel), count...)), run(append(uncount[:len(uncount):len(uncount)], pagesDown...)))
}

func run(statements []string) *goose.GoFunc {
	return &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		for _, s := range statements {
			if _, err := tx.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}}
}

// pagesUp adds the indexes, and the number of rollouts by product and state.
// Triggers keep the latter, whichever version of the server writes.
func pagesUp(channel string) []string {
	return []string{
		`CREATE INDEX rollouts_product ON rollouts (product, created_at, id)`,
		`CREATE INDEX rollouts_product_build ON rollouts (product, build, created_at, id)`,
		`CREATE INDEX rollouts_product_state ON rollouts (product, state, created_at, id)`,
		`CREATE INDEX rollouts_states ON rollouts (state, created_at, id)`,
		`CREATE INDEX rollouts_channel ON rollouts ((` + channel + `), created_at, id, state)`,
		`CREATE INDEX rollouts_product_channel ON rollouts (product, (` + channel + `), created_at, id, state)`,
		`CREATE TABLE rollout_states (
			product  TEXT   NOT NULL,
			state    TEXT   NOT NULL,
			rollouts BIGINT NOT NULL,
			PRIMARY KEY (product, state))`,
		`INSERT INTO rollout_states (product, state, rollouts) SELECT product, state, COUNT(*) FROM rollouts GROUP BY product, state`,
	}
}

var pagesDown = []string{
	`DROP TABLE rollout_states`,
	`DROP INDEX rollouts_product_channel`,
	`DROP INDEX rollouts_channel`,
	`DROP INDEX rollouts_states`,
	`DROP INDEX rollouts_product_state`,
	`DROP INDEX rollouts_product_build`,
	`DROP INDEX rollouts_product`,
}

const (
	oneMore = `INSERT INTO rollout_states (product, state, rollouts) VALUES (NEW.product, NEW.state, 1)
		ON CONFLICT (product, state) DO UPDATE SET rollouts = rollout_states.rollouts + 1;`
	oneLess = `UPDATE rollout_states SET rollouts = rollouts - 1 WHERE product = OLD.product AND state = OLD.state;`
)

var countSQLite = []string{
	`CREATE TRIGGER rollouts_added AFTER INSERT ON rollouts BEGIN ` + oneMore + ` END`,
	`CREATE TRIGGER rollouts_moved AFTER UPDATE OF product, state ON rollouts BEGIN ` + oneLess + ` ` + oneMore + ` END`,
	`CREATE TRIGGER rollouts_removed AFTER DELETE ON rollouts BEGIN ` + oneLess + ` END`,
}

var countPostgres = []string{
	`CREATE FUNCTION count_rollouts() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF TG_OP <> 'INSERT' THEN ` + oneLess + ` END IF;
		IF TG_OP <> 'DELETE' THEN ` + oneMore + ` END IF;
		RETURN NULL;
	END $$`,
	`CREATE TRIGGER rollouts_counted AFTER INSERT OR DELETE OR UPDATE OF product, state ON rollouts FOR EACH ROW EXECUTE FUNCTION count_rollouts()`,
}

var (
	uncountSQLite   = []string{`DROP TRIGGER rollouts_added`, `DROP TRIGGER rollouts_moved`, `DROP TRIGGER rollouts_removed`}
	uncountPostgres = []string{`DROP TRIGGER rollouts_counted ON rollouts`, `DROP FUNCTION count_rollouts`}
)

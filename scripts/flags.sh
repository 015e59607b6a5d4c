# Sourced by scripts/check and scripts/test, so that what one has compiled the
# other finds in Go's cache.

# Without gin's codec of msgpack, which nothing of ours calls, and which takes
# longer to compile than any other package.
export GOFLAGS="${GOFLAGS:-} -tags=nomsgpack"

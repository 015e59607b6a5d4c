# Stands in for U-Boot: runs boot.cmd, the very file that a board gets, with
# the commands of U-Boot as functions. $1: fw_env.config, $2: boot.cmd, $3: where
# the kernel's command line goes. The environment is that of the real fw_printenv
# and fw_setenv. No firmware runs here.
set -f
config=$1 script=$2 cmdline=$3
vars="BOOT_ORDER BOOT_a_GOOD BOOT_a_LEFT BOOT_b_GOOD BOOT_b_LEFT"
for v in $vars; do
  eval "$v=\$(fw_printenv -c \"\$config\" 2>/dev/null | sed -n \"s/^$v=//p\")"
done
candor_args="quiet ro"
test() {
  case "$2" in
    -gt) [ $(($1)) -gt $(($3)) ] ;;
    *) [ "$@" ] ;;
  esac
}
setenv() { n=$1; shift; eval "$n=\$*"; }
setexpr() { setenv "$1" "$(printf %x $(($2 - $4)))"; }
saveenv() {
  [ ! -e "$config.broken" ] || return 1
  for v in $vars; do eval "printf '%s=%s\n' $v \"\$$v\""; done | fw_setenv -c "$config" -s -
}
run() {
  [ "$1" != altbootcmd ] || exit 3
  [ ! -e "$config.$1.fails" ] || return 1
  printf '%s\n' "$bootargs" >"$cmdline"
  exit 0
}
. "$script"
exit 4

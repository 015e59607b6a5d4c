# Sourced by the scripts: collects the programs that are missing and installs
# their packages, or names them.
missing= packages=

# need PROGRAM PACKAGE WHAT-FOR
need() {
  PATH=$PATH:/usr/sbin:/sbin
  command -v "$1" >/dev/null 2>&1 && return
  missing="$missing
  $1 (package $2), for $3"
  case " $packages " in *" $2 "*) ;; *) packages="$packages $2" ;; esac
}

# need_file FILE PACKAGE WHAT-FOR: for packages without a program
need_file() {
  [ -e "$1" ] && return
  missing="$missing
  $1 (package $2), for $3"
  case " $packages " in *" $2 "*) ;; *) packages="$packages $2" ;; esac
}

# settle yes|no
settle() {
  [ -n "$packages" ] || return 0
  if [ "$1" = no ]; then
    echo "missing:$missing" >&2
    echo "install:$packages" >&2
    exit 1
  fi
  echo "installing:$packages" >&2
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  if command -v apt-get >/dev/null 2>&1; then
    { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } >&2
  elif command -v dnf >/dev/null 2>&1; then
    $sudo dnf install -y $packages >&2
  elif command -v apk >/dev/null 2>&1; then
    $sudo apk add $packages >&2
  else
    echo "no package manager that this script knows; install by hand:$packages" >&2
    exit 1
  fi
}

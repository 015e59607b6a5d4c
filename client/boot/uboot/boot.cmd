# Candor's boot script for U-Boot, for two slots named a and b.
#
#   mkimage -A arm64 -T script -C none -d boot.cmd boot.scr
#
# Before it runs, the board's own environment or script must set
#
#   candor_boot_a, candor_boot_b   load and start that slot, with bootargs as
#                                  they are; they return only if that failed
#   candor_args                    the kernel's arguments beside the slot's name
#   altbootcmd                     what is done when no slot may boot, such as
#                                  a recovery over USB
#
# It needs CONFIG_SYS_REDUNDAND_ENVIRONMENT, CONFIG_CMD_SAVEENV and
# CONFIG_CMD_SETEXPR. Turn a watchdog on before: a slot that hangs must restart.

# The factory sets these. If both copies of the environment are lost, both
# slots are tried a few times, and the agent of the one that works keeps it.
if test -z "${BOOT_ORDER}"; then
  setenv BOOT_ORDER "a b"
  setenv BOOT_a_LEFT 3
  setenv BOOT_b_LEFT 3
fi

for slot in ${BOOT_ORDER}; do
  setenv go 0
  if test "${slot}" = "a"; then
    if test "${BOOT_a_GOOD}" = "1"; then
      setenv go 1
    elif test 0x0${BOOT_a_LEFT} -gt 0; then
      # The try is counted before it is used, or not used.
      setexpr BOOT_a_LEFT 0x${BOOT_a_LEFT} - 1
      if saveenv; then
        setenv go 1
      fi
    fi
  fi
  if test "${slot}" = "b"; then
    if test "${BOOT_b_GOOD}" = "1"; then
      setenv go 1
    elif test 0x0${BOOT_b_LEFT} -gt 0; then
      setexpr BOOT_b_LEFT 0x${BOOT_b_LEFT} - 1
      if saveenv; then
        setenv go 1
      fi
    fi
  fi
  if test "${go}" = "1"; then
    setenv bootargs "${candor_args} candor.slot=${slot}"
    run candor_boot_${slot}
  fi
done
run altbootcmd

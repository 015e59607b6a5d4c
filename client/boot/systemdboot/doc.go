// Package systemdboot keeps the boot loader's side of an update in the entries of
// systemd-boot (Boot Loader Specification, type 1) on the EFI system partition,
// with its boot counting:
//
//	loader/entries/candor-a.conf      slot a is good: chosen without counting
//	loader/entries/candor-b+3.conf    slot b is armed with 3 tries
//	loader/entries/candor-b+1-2.conf  … of which 2 are used; systemd-boot renames
//	loader/entries/candor-b+0-3.conf  … all: sorted behind every other entry
//	loader/entries/candor-b.off       slot b is unbootable: no name that it reads
//
// Which one is first. All entries have one sort-key, and systemd-boot puts the
// highest version first. An entry is armed with a version above all others, so
// that it comes first as long as it has tries left, and stays first once it is
// good. There must be no other entries, and neither a default in loader.conf nor
// one in the firmware's variables; Open refuses those two. The file's text is the
// integrator's template, in which {slot} stands for the slot.
//
// Durability. Each verb is one rename of a file of the slot that it is about,
// followed by a sync of the directory; an armed entry is written and synced
// under another name before. FAT has no journal. What is relied on: after a cut
// within a rename the directory has the old name, the new one, or both. With
// both, a slot is good if either name says so. Should neither be there, the slot
// is unbootable and the other one, which no verb touches, boots. Have fsck.fat
// run before the partition is mounted.
//
// Counting is the firmware's: if it cannot write to the partition, systemd-boot
// tries an entry uncounted.
//
// Safety. Refusals rest on these files and on the kernel's command line, which
// the template must give candor.slot={slot}. systemd-bless-boot.service must be
// masked: it would keep a slot before its health is known.
package systemdboot

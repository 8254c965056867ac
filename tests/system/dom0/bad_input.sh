# SPDX-License-Identifier: MIT
# Bad documents, images and kernels: each is refused with its code, a JSON pointer and the step, exit status not 0, and nothing is left
# behind. One undisturbed guest runs all the while.
. /mnt/lib.sh
images=/var/lib/mullion/images
document web web.img 10.77.0.10 >/tmp/web.json
document bad web2.img 10.77.0.12 >/tmp/good.json

starts() {
	mullion apply /tmp/web.json
	serving 10.77.0.10
	until_within 30 settled
}

# refused CODE POINTER: /tmp/bad.json is refused so, in both forms, and all is as before. A pointer of ? is not looked at.
# The guest beside it may just now have grown its grant table, by what it serves: then memory is judged in a second refusal.
refused() {
	refusal "$@"
	if ! (as_before before); then
		refusal "$@"
		as_before before
	fi
	serves 10.77.0.10
}
refusal() {
	snapshot before
	mullion -o json apply /tmp/bad.json >/tmp/answer && die "it was accepted"
	cat /tmp/answer
	field() { sed -n "s/^ *\"$1\": \"\\(.*\\)\",*$/\\1/p" /tmp/answer; }
	expect "code" "$(field code)" "$1"
	[ "$2" = '?' ] || expect "where" "$(field where)" "$2"
	[ -n "$(field step)" ] || die "no step"
	mullion apply /tmp/bad.json 2>/tmp/told >/dev/null && die "it was accepted the second time"
	grep -qF "($1)" /tmp/told || { cat /tmp/told; die "a person is not told the code"; }
	expect "state of the bad domain" "$(state bad)" ""
}
edit() { sed "$1" /tmp/good.json >/tmp/bad.json; ! cmp -s /tmp/good.json /tmp/bad.json; }

malformed() { edit 's/"vcpus": 1,/"vcpus": ,/'; refused json.syntax '?'; }
unknown_key() { edit 's/"vcpus"/"vcpu"/'; refused config.unknown-key /vcpu; }
wrong_type() { edit 's/"vcpus": 1/"vcpus": "one"/'; refused config.type /vcpus; }
wrong_range() { edit 's/"vcpus": 1/"vcpus": 4096/'; refused config.range /vcpus; }
nested() { edit 's/"bridge"/"bride"/'; refused config.unknown-key /nets/0/bride; }
missing_image() { edit 's|web2.img|none.img|'; refused image.missing /disks/0/image; }
missing_kernel() { edit 's|vmlinux-guest|vmlinux-none|'; refused kernel.missing /kernel/path; }
missing_initrd() { edit 's|initrd-guest.img|initrd-none.img|'; refused initrd.missing /kernel/initrd; }
missing_bridge() { edit 's|"br0"|"br9"|'; refused bridge.missing /nets/0/bridge; }
too_much_memory() { edit 's|"192M"|"64G"|'; refused memory.unavailable /memory; }
busy_image() { edit 's|web2.img|web.img|'; refused image.busy /disks/0/image; }
no_schema() { edit '/"schema"/d'; refused config.missing-key /schema; }

not_a_kernel() { # $1: makes the file
	edit "s|$images/vmlinux-guest|/tmp/kernel|"
	refused kernel.format /kernel/path
}
text_kernel() { echo "this is a text, not a kernel" >/tmp/kernel; not_a_kernel; }
empty_kernel() { : >/tmp/kernel; not_a_kernel; }
other_elf() { cp /bin/busybox /tmp/kernel; not_a_kernel; }
cut_kernel() { head -c 3000000 "$images/vmlinux-guest" >/tmp/kernel; not_a_kernel; }
cut_bzimage() { head -c 3000000 "$images/vmlinuz-guest" >/tmp/kernel; not_a_kernel; }

plan_changes_nothing() {
	snapshot before
	mullion plan /tmp/good.json
	as_before before
	expect "state" "$(state bad)" ""
}

bzimage_starts() {
	edit 's|vmlinux-guest|vmlinuz-guest|'
	mullion apply /tmp/bad.json
	serving 10.77.0.12
	remove bad
}

check "an undisturbed guest" starts
check "malformed JSON" malformed
check "no schema key" no_schema
check "unknown key" unknown_key
check "unknown key, nested" nested
check "wrong type" wrong_type
check "out of range" wrong_range
check "missing image" missing_image
check "image of another running guest" busy_image
check "missing kernel" missing_kernel
check "missing initrd" missing_initrd
check "missing bridge" missing_bridge
check "more memory than is free" too_much_memory
check "a kernel that is a text" text_kernel
check "a kernel that is empty" empty_kernel
check "a kernel that is another ELF" other_elf
check "a kernel that is cut off" cut_kernel
check "a bzImage that is cut off" cut_bzimage
check "plan changes nothing" plan_changes_nothing
check "a bzImage starts as it is" bzimage_starts
echo "@end"

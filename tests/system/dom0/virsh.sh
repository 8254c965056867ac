# SPDX-License-Identifier: MIT
# Debian's libvirtd and virsh, unmodified: each command's output is what it should be, a guest of mullion's shows in virsh list, and when
# libvirt's own guest is gone nothing is left.
. /mnt/lib.sh
# mulliond makes the folders of backends before the first guest, libxl removes them after the last.
store_nodes() { xenstore-ls -f / | sed 's/ = .*//' | grep -vx '/local/domain/0/backend\(/v[bi][df]\)\?' | sort; }
address=10.77.0.12
cat >/tmp/v.xml <<END
<domain type="xen">
  <name>v</name>
  <memory unit="MiB">192</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch="x86_64" machine="xenpv">xen</type>
    <kernel>/var/lib/mullion/images/vmlinux-guest</kernel>
    <initrd>/var/lib/mullion/images/initrd-guest.img</initrd>
    <cmdline>console=hvc0 root=/dev/xvda rw mullion.ip=$address mullion.test</cmdline>
  </os>
  <devices>
    <disk type="file" device="disk"><source file="/var/lib/mullion/images/web2.img"/><target dev="xvda" bus="xen"/></disk>
    <interface type="bridge"><source bridge="br0"/><mac address="00:16:3e:00:00:12"/></interface>
    <console type="pty"><target type="xen" port="0"/></console>
  </devices>
</domain>
END

virsh() { timeout 120 virsh -q -c xen:///system "$@"; }
answers() { virsh list; }
listed() { virsh list --all | awk -v name="$1" '$2 == name { print $3 ($4 ? " " $4 : "") }'; } # its state
field() { virsh dominfo "$1" | sed -n "s/^$2: *//p"; }

starts() {
	mullion apply /mnt/web.json # before libvirtd is there: see ours_shows
	libvirtd --daemon
	until_within 60 answers
	virsh version | grep 'Running hypervisor: Xen 4\.17'
	expect "dom0" "$(virsh list | awk '$1 == 0 { print $2, $3 }')" "Domain-0 running"
	expect "dom0's memory" "$(field Domain-0 'Used memory')" "1048576 KiB"
}

node() {
	virsh nodeinfo >/tmp/node
	cat /tmp/node
	expect "CPUs" "$(sed -n 's/^CPU(s): *//p' /tmp/node)" 2
	expect "model" "$(sed -n 's/^CPU model: *//p' /tmp/node)" x86_64
	expect "memory" "$(($(sed -n 's/^Memory size: *\([0-9]*\) KiB/\1/p' /tmp/node) / 1024))" "$(xl info total_memory)"
}

# libvirt reads the CPU's features out of eight words that the hypervisor gives.
capabilities() {
	virsh capabilities >/tmp/caps
	cat /tmp/caps
	grep -q '<model>' /tmp/caps
	grep -q '<arch>x86_64</arch>' /tmp/caps
	grep -q '<os_type>xen</os_type>' /tmp/caps
	grep -q '<machine>xenpv</machine>' /tmp/caps
	grep -q '<cpus num=.2.>' /tmp/caps
	bit() { echo $((0x$(xl info hw_caps | cut -d: -f"$1") >> $2 & 1)); } # word (from 1), bit
	for feature in smep:6:7 smap:6:20 bmi2:6:8 umip:7:2 svm:4:2 xsave:2:26 fma:2:12; do
		name=${feature%%:*} at=${feature#*:}
		expect "$name" "$(grep -c "<feature name='$name'/>" /tmp/caps)" "$(bit "${at%:*}" "${at#*:}")"
	done
}

ours_shows() {
	virsh list
	expect "state" "$(listed web)" running
	expect "number" "$(virsh domid web)" "$(domid web)"
	expect "memory, vCPUs" "$(field web 'Max memory') $(field web 'CPU(s)')" "196608 KiB 1"
	virsh list --title | grep 'web .*mullion'
	virsh domblklist web | grep '^ *xvda */var/lib/mullion/images/web.img'
	virsh ttyconsole web | grep -qx "$(xenstore-read "/local/domain/$(domid web)/console/tty")"
	virsh suspend web
	is web paused
	virsh resume web
	is web running
	remove web
	none() { [ -z "$(listed web)" ]; }
	until_within 30 none
	until_within 30 settled
	snapshot before
}

define() {
	virsh define /tmp/v.xml
	expect "state" "$(listed v)" "shut off"
	expect "persistent" "$(field v Persistent)" yes
}

start() {
	virsh start v
	expect "state" "$(listed v)" running
	serving $address
	for device in vbd/$(virsh domid v)/51712 vif/$(virsh domid v)/0; do
		grep -qz "^backend/$device" /proc/[0-9]*/cmdline || die "no backend of ours for $device"
	done
	mullion list | grep '^v .*running'
}

describe() {
	virsh dominfo v
	expect "number" "$(field v Id)" "$(xl domid v)"
	expect "vCPUs" "$(field v 'CPU(s)')" 2
	expect "memory" "$(field v 'Used memory')" "196608 KiB"
	virsh vcpuinfo v
	expect "vCPUs" "$(virsh vcpuinfo v | grep -c '^CPU Affinity: *yy$')" 2
	expect "offline vCPUs" "$(virsh vcpuinfo v | grep -c '^State: *offline$')" 0
	virsh vcpupin v 1 0
	virsh vcpuinfo v | grep -q '^CPU Affinity: *y-$'
	virsh vcpupin v 1 0-1
}

console() {
	mkfifo /tmp/keys
	script -qfc "virsh -c xen:///system console v" /dev/null </tmp/keys >/tmp/screen 2>&1 &
	client=$!
	exec 9>/tmp/keys
	until_within 60 grep -q "guest: serving on $address" /tmp/screen
	printf 'echo typed $((40 + 2))\r' >&9
	until_within 60 grep -q '^typed 42' /tmp/screen
	printf '\035' >&9
	wait $client
}

suspend() {
	virsh suspend v
	expect "state" "$(listed v) $(virsh domstate v)" "paused paused"
	xl list v | grep -e '--p---'
	virsh resume v
	expect "state" "$(listed v)" running
	serves $address
}

schedule() {
	param() { virsh schedinfo v | sed -n "s/^$1 *: //p"; }
	expect "scheduler, weight, cap" "$(param Scheduler) $(param weight) $(param cap)" "credit2 256 0"
	virsh schedinfo v --weight 512 --cap 50
	expect "weight, cap" "$(param weight) $(param cap)" "512 50"
	xl sched-credit2 -d v | grep '^v .* 512 *50$'
	virsh schedinfo v --weight 256 --cap 0
}

balloon() {
	virsh setmem v 160M
	smaller() { [ "$(mullion list | awk '$1 == "v" { print $5 }')" = 160 ]; }
	until_within 60 smaller
	expect "memory" "$(field v 'Used memory')" "163840 KiB"
	serves $address
}

libvirtd_killed() {
	number=$(virsh domid v)
	kill -9 "$(pidof libvirtd)"
	libvirtd --daemon
	until_within 60 answers
	expect "state, number" "$(listed v) $(virsh domid v)" "running $number"
	serves $address
}

destroy() {
	virsh destroy v
	expect "state" "$(listed v)" "shut off"
	expect "domains" "$(xl list | wc -l)" 2
	virsh undefine v
	[ -z "$(listed v)" ] || die "$(listed v)"
	as_before before
}

check "libvirtd starts; virsh list" starts
check "virsh nodeinfo" node
check "virsh capabilities" capabilities
check "a guest of mullion's shows in virsh list" ours_shows
check "virsh define" define
check "virsh start, with our backends" start
check "virsh dominfo, vcpuinfo and vcpupin" describe
check "virsh console" console
check "virsh suspend and resume" suspend
check "virsh schedinfo" schedule
check "virsh setmem" balloon
check "libvirtd killed: it takes its guest over" libvirtd_killed
check "virsh destroy and undefine leave nothing" destroy
echo "@end"

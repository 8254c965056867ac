# SPDX-License-Identifier: MIT
# Debian's xl, unmodified, on our hypervisor, xenstored and backends: each command's output is what it should be, a guest of xl's is left
# alone by mulliond, and when it is gone nothing is left.
. /mnt/lib.sh
address=10.77.0.12
cat >/tmp/g.cfg <<END
name = "g"
type = "pv"
kernel = "/var/lib/mullion/images/vmlinux-guest"
ramdisk = "/var/lib/mullion/images/initrd-guest.img"
extra = "console=hvc0 root=/dev/xvda rw mullion.ip=$address mullion.test"
memory = 192
maxmem = 256
vcpus = 2
disk = [ "/var/lib/mullion/images/web2.img,raw,xvda,rw" ]
vif = [ "mac=00:16:3e:00:00:12,bridge=br0" ]
END

row() { xl list | awk -v name="$1" '$1 == name { print $2, $3, $4, $5 }'; } # id, memory, vCPUs, state
id() { row g | cut -d' ' -f1; }
info() { sed -n "s/^$1 *: //p" /tmp/info; }
# What is looked at again and again is asked of mullion: xl costs the scripts of a device that comes or goes too much of the machine.
gone() { [ -z "$(state "$1")" ]; }
memory_is() { [ "$(mullion list | awk '$1 == "g" { print $5 }')" = "$1" ]; }
alone() { [ "$(xl list | wc -l)" = 2 ]; } # xl takes a domain's entries from the store before the domain
state_has() { row g | grep -q "$1"; } # a letter of xl's State column

init_dom0() {
	grep -q 'Done setting up Dom0' /var/log/xen/xen-init-dom0.log
	/usr/lib/xen-4.17/bin/xen-init-dom0 2>&1 | grep -q 'already set up'
	expect "name" "$(xenstore-read /local/domain/0/name)" Domain-0
	expect "pool" "$(xenstore-read /local/pool/0/name)" Pool-0
	grep -q '"type": "pv"' /var/lib/xen/userdata-d.0.*.libxl-json # dom0's configuration, for libxl
}

host_info() {
	xl info >/tmp/info
	cat /tmp/info
	expect "CPUs" "$(info nr_cpus)" 2
	expect "version" "$(info xen_version | cut -d. -f1-2)" 4.17
	expect "scheduler" "$(info xen_scheduler)" credit2
	expect "words of hw_caps" "$(info hw_caps | tr : '\n' | grep -c '^[0-9a-f]\{8\}$')" 8
	info xen_caps | grep -qw xen-3.0-x86_64
	info virt_caps | grep -qw pv
	mullion -o json list | awk '/"memory":/ { gsub(/[^0-9]/, ""); all = $0 } /memory_free/ { gsub(/[^0-9]/, ""); free = $0 }
		END { printf "%d %d", all / 1048576, free / 1048576 }' >/tmp/host
	expect "memory, free memory" "$(info total_memory) $(info free_memory)" "$(cat /tmp/host)"
}

host_topology() {
	xl info -n >/tmp/info 2>&1
	cat /tmp/info
	! grep -qi 'fail\|not implemented' /tmp/info
	expect "CPUs of core, socket, node" "$(grep -c '^ *[01]: *[0-9]* *[0-9]* *0$' /tmp/info)" 2
	expect "devices of node 0" "$(grep -c '^0000:[0-9a-f:.]* *0$' /tmp/info)" "$(ls /sys/bus/pci/devices | wc -l)"
}

list_dom0() {
	xl list
	expect "dom0" "$(row Domain-0)" "0 1024 2 r-----"
}

create() {
	xl create /tmp/g.cfg
	expect "memory and vCPUs" "$(row g | cut -d' ' -f2)" 192
	serving $address
	expect "vCPUs" "$(row g | cut -d' ' -f3)" 2
	for device in vbd/$(id)/51712 vif/$(id)/0; do
		grep -qz "^backend/$device" /proc/[0-9]*/cmdline || die "no backend of ours for $device"
		expect "state of $device" "$(xenstore-read "/local/domain/0/backend/$device/state")" 4
	done
	not grep -E '^xen_(blkback|netback)' /proc/modules
	in_guest $address 'echo kept >/var/kept; sync; cat /var/kept' | grep -qx kept
}

# xl's console client wants a terminal; script gives it one.
console() {
	mkfifo /tmp/keys
	script -qfc "xl console g" /dev/null </tmp/keys >/tmp/screen 2>&1 &
	client=$!
	exec 9>/tmp/keys
	until_within 60 grep -q "guest: serving on $address" /tmp/screen # written before the client came
	printf 'echo typed $((40 + 2))\r' >&9
	until_within 60 grep -q '^typed 42' /tmp/screen
	printf '\035' >&9 # Ctrl-] leaves
	wait $client
	gone_client() { ! pidof xenconsole; }
	until_within 10 gone_client
	not gone g
}

pause() {
	xl pause g
	state_has ' ..p...$' || die "$(row g)"
	mullion list | grep '^g .*paused'
	xl unpause g
	not state_has p
	serves $address
}

pin() {
	xl vcpu-list g
	expect "vCPUs" "$(xl vcpu-list g | awk '$1 == "g" { print $3 }' | tr '\n' ' ')" "0 1 "
	xl vcpu-pin g 1 0
	affinity() { xl vcpu-list g | awk -v vcpu="$1" '$3 == vcpu { print $(NF - 2), $(NF - 1), $NF, $4 }'; }
	serves $address
	expect "affinity and CPU of vCPU 1" "$(affinity 1)" "0 / all 0"
	expect "affinity of vCPU 0" "$(affinity 0 | cut -d' ' -f1-3)" "all / all"
	xl vcpu-pin g 1 all
	expect "affinity" "$(affinity 1 | cut -d' ' -f1-3)" "all / all"
}

hotplug() {
	online() { in_guest $address nproc | grep -qx "$1"; }
	online 2
	xl vcpu-set g 1
	until_within 60 online 1
	expect "vCPUs" "$(row g | cut -d' ' -f3)" 1
	xl vcpu-set g 2
	# The guest's kernel shows the CPU again; to use it is for its udev, which it has not.
	use_it() { in_guest $address 'echo 1 >/sys/devices/system/cpu/cpu1/online && echo yes' | grep -qx yes; }
	until_within 60 use_it
	online 2
	expect "vCPUs" "$(row g | cut -d' ' -f3)" 2
}

credit2() {
	share() { xl sched-credit2 | awk -v name="$1" '$1 == name { print $3, $4 }'; }
	xl sched-credit2
	xl sched-credit2 | grep -q '^Cpupool Pool-0'
	expect "dom0" "$(share Domain-0)" "256 0"
	expect "guest" "$(share g)" "256 0"
	xl sched-credit2 -d g -w 512 -c 50
	expect "guest" "$(share g)" "512 50"
	xl sched-credit2 -d g -w 256 -c 0
	expect "guest" "$(share g)" "256 0"
	not xl sched-credit2 -d g -w 70000
}

balloon() {
	kib() { in_guest $address "awk '/MemTotal/ { print \$2 }' /proc/meminfo"; }
	before=$(kib)
	xl mem-set g 160
	until_within 60 memory_is 160
	expect "memory" "$(row g | cut -d' ' -f2)" 160
	[ $((before - $(kib))) -ge 30000 ] || die "the guest has $(kib) KiB, it had $before"
	xl mem-set g 192
	until_within 60 memory_is 192
	serves $address
}

dmesg() {
	xl dmesg | grep -aE '^\((mullion|XEN)\) ' >/tmp/log
	[ "$(wc -l </tmp/log)" -ge 10 ] || die "$(cat /tmp/log)"
	mullion dmesg | grep -aE '^\((mullion|XEN)\) ' | head -n 5 >/tmp/log.ours
	head -n 5 /tmp/log | cmp - /tmp/log.ours
}

beside_mulliond() {
	was=$(id)
	mullion apply /mnt/web.json
	xl list
	expect "our guest in xl list" "$(row web | cut -d' ' -f1-3)" "$(domid web) 192 1"
	mullion list | grep '^g .*running'
	not mullion destroy g
	kill -9 "$(pidof mulliond)"
	until_within 30 mullion list
	remove web
	expect "our guest" "$(row web)" ""
	expect "domain number" "$(id)" "$was"
	serves $address
}

reboot() {
	was=$(id)
	xl reboot g
	again() { now=$(domid g) && [ -n "$now" ] && [ "$now" != "$was" ]; }
	until_within 120 again
	serving $address
	expect "what was written before" "$(in_guest $address 'cat /var/kept')" kept
	expect "domains" "$(xl list | wc -l)" 3 # the old one is gone: a head, dom0 and g
}

shutdown() {
	xl shutdown -w g
	until_within 120 gone g
	until_within 30 alone
	tail -n 3 /var/log/mullion/console/g.log
	tail -n 1 /var/log/mullion/console/g.log | grep -q 'reboot: ' # the kernel's last word, after its file systems
	grep -q 'reason code 0' /var/log/xen/xl-g.log
	until_within 30 settled
	ls /var/lib/xen >/tmp/before.xl
	snapshot before
}

destroy() {
	xl create /tmp/g.cfg
	serving $address
	xl destroy g
	expect "domains" "$(xl list | wc -l)" 2
	as_before before
	ls /var/lib/xen | diff /tmp/before.xl -
}

check "xen-init-dom0 has set up dom0" init_dom0
check "xl info" host_info
check "xl info -n" host_topology
check "xl list" list_dom0
check "xl create, with our backends" create
check "xl console shows what was written, and types" console
check "xl pause and unpause" pause
check "xl vcpu-list and vcpu-pin" pin
check "xl vcpu-set" hotplug
check "xl sched-credit2" credit2
check "xl mem-set" balloon
check "xl dmesg" dmesg
check "xl and mulliond leave each other's guests alone" beside_mulliond
check "xl reboot" reboot
check "xl shutdown is orderly" shutdown
check "xl destroy leaves nothing" destroy
echo "@end"

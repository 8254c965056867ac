# SPDX-License-Identifier: MIT
# More vCPUs than CPUs, in dom0 and in a guest; vCPUs taken out of use and into use while both run; and a guest's share of the CPUs: what
# of its document is refused, and what it does. The machine has 2 CPUs, dom0 4 vCPUs, the guest up to 8.
. /mnt/lib.sh

# smp NAME IMAGE ADDRESS VCPUS MAX CPU: the example document with these vCPUs and this "cpu".
smp() { document "$1" "$2" "$3" | sed "s|\"vcpus\": 1|\"vcpus\": $4, \"vcpus_max\": $5, \"cpu\": { $6 }|"; }
web() { smp web web.img 10.77.0.10 "$1" "$2" "$3" >/tmp/web.json; }
two() { smp two web2.img 10.77.0.11 "$1" "$2" "$3" >/tmp/two.json; }

# What a program finds when it runs on each vCPU in turn: the number that the kernel has for it.
each_cpu='for cpu in $(seq 0 $(($(nproc) - 1))); do
	mask=$(printf %x $((1 << cpu)))
	[ "$(taskset $mask cut -d" " -f39 /proc/self/stat)" = $cpu ] || echo "not on vCPU $cpu"
done
nproc'
works_on() { # works_on VCPUS: in the guest
	expect "vCPUs in the guest" "$(in_guest 10.77.0.10 "$each_cpu")" "$1"
	serves 10.77.0.10
}
# Linux registers a vCPU that is offered to it; to take it into use is for udev, or here for busybox.
take_into_use='cat >/tmp/added <<"end"
#!/bin/sh
[ $SUBSYSTEM-$ACTION = cpu-add ] && echo 1 >/sys$DEVPATH/online
end
chmod +x /tmp/added
uevent /tmp/added >/dev/null 2>&1 &'
in_use() { mullion list | awk -v name="$1" '$1 == name { print $4 }'; }
uses() { # uses VCPUS: the guest reacts in its own time
	now_uses() { expect "vCPUs in use" "$(in_use web)" "$1"; }
	until_within 120 now_uses "$1"
	works_on "$1"
}

dom0_more_than_cpus() {
	mullion -o json list | grep '"cpus": 2'
	expect "dom0's vCPUs" "$(sh -c "$each_cpu")" 4
	expect "in use" "$(in_use Domain-0)" 4
}

dom0_hotplug() {
	for round in 1 2 3; do
		for cpu in 3 2 1; do echo 0 >/sys/devices/system/cpu/cpu$cpu/online; done
		expect "in use, round $round" "$(in_use Domain-0)" 1
		expect "dom0's vCPUs" "$(sh -c "$each_cpu")" 1
		for cpu in 2 1 3; do echo 1 >/sys/devices/system/cpu/cpu$cpu/online; done
		expect "in use, round $round" "$(in_use Domain-0)" 4
		expect "dom0's vCPUs" "$(sh -c "$each_cpu")" 4
	done
}

guest_starts() {
	snapshot empty
	web 4 8 ''
	mullion apply /tmp/web.json
	serving 10.77.0.10
	in_guest 10.77.0.10 "$take_into_use"
	expect "possible" "$(in_guest 10.77.0.10 'cat /sys/devices/system/cpu/possible')" 0-7
	uses 4
}

guest_hotplug() {
	id=$(domid web)
	for vcpus in 2 8 1 4; do
		web $vcpus 8 ''
		mullion plan /tmp/web.json | grep 'take effect at once'
		mullion apply /tmp/web.json | grep 'in effect'
		uses $vcpus
	done
	mullion get web | grep 'vcpus *4 of 8'
	expect "domain number" "$(domid web)" "$id"
}

beyond_max_waits() {
	web 8 9 ''
	mullion plan /tmp/web.json | grep '^\* /vcpus_max: 8 -> 9'
	mullion apply /tmp/web.json | grep 'at the next start'
	uses 8
	kill -9 "$(pidof mulliond)" # what a new one reads is the definition
	until_within 30 mullion list
	web 4 8 ''
	mullion apply /tmp/web.json
	uses 4
}

# --- refusals: /tmp/web.json on the running guest, /tmp/two.json for a new one -------------------

# refused DOCUMENT CODE POINTER
refused() {
	mullion -o json apply "$1" >/tmp/answer && die "it was accepted"
	cat /tmp/answer
	grep -qF "\"code\": \"$2\"" /tmp/answer || die "not $2"
	grep -qF "\"where\": \"$3\"" /tmp/answer || die "not at $3"
}
both_refused() { # both_refused CODE POINTER CPU: by the guest that runs, and for a new one
	web 4 8 "$3"
	refused /tmp/web.json "$1" "$2"
	two 1 1 "$3"
	refused /tmp/two.json "$1" "$2"
}

refusals() {
	mullion get web >/tmp/before
	snapshot before
	both_refused cpu.missing /cpu/affinity/hard '"affinity": { "hard": "0-2" }'
	web 4 8 '"affinity": { "hard": "0,1", "soft": "200" }'
	refused /tmp/web.json cpu.missing /cpu/affinity/soft
	both_refused cpu.unavailable /cpu/reservation '"weight": 1000, "reservation": { "budget_us": 9001 }'
	# 8 vCPUs do not fit on one CPU where each of them would.
	web 4 8 '"reservation": { "budget_us": 2000 }, "affinity": { "hard": "1" }'
	refused /tmp/web.json cpu.unavailable /cpu/reservation
	web 4 8 '"weight": 65536'
	refused /tmp/web.json config.range /cpu/weight
	two 2 1 ''
	refused /tmp/two.json config.conflict /vcpus
	as_before before
	mullion get web >/tmp/after
	cmp /tmp/before /tmp/after || die "the running domain is not as before"
	expect "state of the other" "$(state two)" ""
	serves 10.77.0.10
}

admission() {
	web 4 8 '"reservation": { "budget_us": 1100 }, "affinity": { "hard": "1" }'
	mullion apply /tmp/web.json | grep 'in effect'
	mullion get web | grep 'each vCPU at least 1100 of 10000 us'
	two 1 1 '"reservation": { "budget_us": 1000 }, "affinity": { "hard": "1" }'
	refused /tmp/two.json cpu.unavailable /cpu/reservation
	web 4 8 '"reservation": { "budget_us": 2200 }' # on both CPUs, four each
	mullion apply /tmp/web.json | grep 'in effect'
}

# --- what it does: CPU time as the hypervisor counts it -----------------------------------------

cpu_ms() { mullion -o json get "$1" | sed -n 's/^ *"cpu_ms": \([0-9]*\),*$/\1/p'; }
# burn ADDRESS VCPUS: from now on this many of the guest's programs compute without end.
burn() { in_guest "$1" "for i in \$(seq $2); do (while :; do :; done) >/dev/null 2>&1 & done"; }
# percent NAME…: of one CPU, for about 3 s; one number for each on standard output.
percent() {
	start=$(ms)
	for name in "$@"; do cpu_ms "$name" >"/tmp/$name.ms"; done
	usleep 3000000
	for name in "$@"; do
		echo $((($(cpu_ms "$name") - $(cat "/tmp/$name.ms")) * 100 / ($(ms) - start)))
	done
}
between() { # between LOW VALUE HIGH
	[ "$2" -ge "$1" ] && [ "$2" -le "$3" ] || die "$2 is not between $1 and $3"
}

takes() { # takes CPU LOW HIGH: percent of one CPU that the burning guest gets with this "cpu"
	web 4 8 "$1"
	mullion apply /tmp/web.json | grep 'in effect'
	between "$2" "$(percent web)" "$3"
}
share_follows() {
	burn 10.77.0.10 4
	between 110 "$(percent web)" 200
	takes '"affinity": { "hard": "1" }' 30 104
	takes '"cap": 40' 1 48 # on a machine with other work, overuse is paid back for long
	takes '"cap": 20, "affinity": { "hard": "0" }' 1 27
	takes '' 110 200
	serves 10.77.0.10
}
# The second guest only computes: its first process is a loop.
two_computes() {
	two "$@"
	sed -i 's|"cmdline": "|&rdinit=/bin/busybox |; s|console=hvc0|& -- sh -c \\"while :; do :; done\\"|' /tmp/two.json
	mullion apply /tmp/two.json
}
two_share_a_cpu() {
	two_computes 1 1 ''
	until_within 120 grep 'as init process' /var/log/mullion/console/two.log
	web 1 8 '"weight": 512, "affinity": { "hard": "1" }' # weights are of vCPUs: one each
	mullion apply /tmp/web.json | grep 'in effect'
	two_computes 1 1 '"weight": 256, "affinity": { "hard": "1" }' | grep 'in effect'
	now_one() { expect "vCPUs in use" "$(in_use web)" 1; }
	until_within 60 now_one
	percent web two >/tmp/shares
	cat /tmp/shares
	set -- $(cat /tmp/shares)
	between 140 $(($1 * 100 / $2)) 280
	two_computes 1 1 '"weight": 256, "reservation": { "budget_us": 6000 }, "affinity": { "hard": "1" }' | grep 'in effect'
	percent web two >/tmp/shares
	cat /tmp/shares
	set -- $(cat /tmp/shares)
	# 60:40, were there no other machines on this host: it pauses ours in the middle of somebody's turn.
	between 70 $(($2 * 100 / $1)) 250
	remove two
}

nothing_left() {
	remove web
	# Memory is for crash.sh and two_guests.sh to count: dom0's tables grew with its first guest.
	gone() {
		snapshot now
		for part in store processes links; do diff "/tmp/empty.$part" "/tmp/now.$part"; done
	}
	until_within 30 gone
	expect "definitions and records" "$(ls /var/lib/mullion/domains /run/mullion/domains | grep json)" ""
}

check "dom0 with more vCPUs than there are CPUs: work on each" dom0_more_than_cpus
check "dom0's vCPUs out of use and into use" dom0_hotplug
check "a guest with more vCPUs than there are CPUs: work on each, its page served" guest_starts
check "a guest's vCPUs out of use and into use by apply" guest_hotplug
check "more vCPUs than it was made with wait for the next start" beyond_max_waits
check "shares that are refused: the key is named, and nothing has changed" refusals
check "reservations have room or are refused" admission
check "cap and affinity of a running guest" share_follows
check "two guests on one CPU: weights, then a reservation" two_share_a_cpu
check "nothing is left" nothing_left
echo "@end"

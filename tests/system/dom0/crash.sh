# SPDX-License-Identifier: MIT
# A guest that crashes or panics: named in `mullion list`, its memory back, the others undisturbed. And dom0's daemons killed.
. /mnt/lib.sh
document web web.img 10.77.0.10 >/tmp/web.json
document victim web2.img 10.77.0.12 >/tmp/victim.json

starts() {
	mullion apply /tmp/web.json
	serving 10.77.0.10
	# A second guest once, so that tables which only grow (the hypervisor's, for what dom0 maps) have grown before the count.
	mullion apply /tmp/victim.json
	serving 10.77.0.12
	remove victim
	until_within 30 settled
	free_pages >/tmp/free
}
# All of a guest's memory; of the hypervisor's own heap a page or two may stay, shared with objects that live on. The count
# is taken once, before the first of four guests: a leak for each would pass the limit.
memory_back() {
	now=$(free_pages)
	[ $(($(cat /tmp/free) - now)) -le 2 ] || die "free pages: got '$now', expected '$(cat /tmp/free)'"
}
named_crashed() {
	until_within 300 is victim crashed
	mullion list | grep '^victim .*crashed'
	until_within 60 memory_back
	serves 10.77.0.10
	! ls /sys/class/net | grep -v -e lo -e br0 -e eth0 -e "vif$(domid web)\\."
}

panic() {
	mullion apply /tmp/victim.json
	serving 10.77.0.12
	in_guest 10.77.0.12 '(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &'
	named_crashed
}

starts_again() {
	mullion start victim
	serving 10.77.0.12
	remove victim
	until_within 60 memory_back
}

no_root() {
	sed '/"initrd"/d; s|/dev/xvda|/dev/xvdq|' /tmp/victim.json >/tmp/noroot.json
	mullion apply /tmp/noroot.json
	named_crashed
	mullion delete victim
}

toolstack_killed() {
	id=$(domid web)
	kill -9 "$(pidof mulliond)"
	until_within 30 mullion list
	expect "domain number" "$(domid web)" "$id"
	serves 10.77.0.10
	until_within 30 is web running
}

# The daemon's clients keep their connections: dom0's kernel and the guests on rings, and Debian's library on the socket, which could not
# connect again. Then a live update, and a new guest.
store_killed() {
	xenstore-watch -n 5 /test/store >/tmp/watched &
	watcher=$!
	until_within 30 mullion-store control memreport
	for i in 1 2 3; do
		kill -9 "$(store_daemon)"
		xenstore-write "/test/store/$i" "$i"
		expect "what was written" "$(xenstore-read "/test/store/$i")" "$i"
	done
	expect "file named" "$(mullion-store control live-update -f /usr/sbin/mullion-xenstored)" OK
	expect "updated" "$(mullion-store control live-update -s)" OK
	xenstore-write /test/store/4 4
	wait $watcher
	expect "watched" "$(sort /tmp/watched | uniq | tr '\n' ' ')" "/test/store /test/store/1 /test/store/2 /test/store/3 /test/store/4 "
	xenstore-rm /test
	serves 10.77.0.10
	mullion apply /tmp/victim.json
	serving 10.77.0.12
	remove victim
	expect "accounts" "$(mullion-store control check)" OK
}

check "an undisturbed guest" starts
check "a guest that panics is named and its memory is back" panic
check "a crashed guest starts again" starts_again
check "a guest that panics in its boot is named" no_root
check "mulliond killed: the guest serves on and is known after" toolstack_killed
check "the store killed, and updated: nobody notices" store_killed
echo "@end"

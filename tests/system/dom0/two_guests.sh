# SPDX-License-Identifier: MIT
# Two guests at once, each with a disk and a net; one destroyed, the other still serving; 20 rounds of create and destroy,
# after which nothing is left.
. /mnt/lib.sh
document web web.img 10.77.0.10 >/tmp/web.json
document two web2.img 10.77.0.11 >/tmp/two.json

both_serve() {
	mullion apply /tmp/web.json
	mullion apply /tmp/two.json
	serving 10.77.0.10
	serving 10.77.0.11
	expect "web" "$(state web)" running
	expect "two" "$(state two)" running
}

other_serves_on() {
	mullion destroy two
	not is two running
	for _ in 1 2 3 4 5; do serves 10.77.0.10; done
	not fetch 10.77.0.11/index.html /tmp/none
}

apply_again_changes_nothing() {
	id=$(domid web)
	mullion apply /tmp/web.json | grep unchanged
	expect "domain number" "$(domid web)" "$id"
}

console_log() {
	grep -q 'guest: serving on 10.77.0.10' /var/log/mullion/console/web.log
	mullion console --log web | grep -q 'guest: serving on 10.77.0.10'
}

no_kernel_backends() {
	not grep -E '^xen_(blkback|netback)' /proc/modules
}

shutdown_is_orderly() {
	mullion shutdown --wait web
	not is web running
	mullion start web
	serving 10.77.0.10
}

twenty_rounds() {
	remove web
	remove two
	# One guest first, so that what is made once (caches of the kernel image, pools) is made before the count.
	mullion apply /tmp/two.json
	serving 10.77.0.11
	remove two
	until_within 30 settled
	snapshot before
	for round in $(seq 20); do
		echo "round $round"
		mullion apply /tmp/web.json
		[ $((round % 5)) = 0 ] && serving 10.77.0.10
		remove web
	done
	as_before before
}

check "two guests with disk and net, both reachable" both_serve
check "apply of the same document changes nothing" apply_again_changes_nothing
check "one destroyed, the other still serving" other_serves_on
check "the console log holds what the guest wrote" console_log
check "dom0's own blkback and netback are not loaded" no_kernel_backends
check "shutdown is orderly, start brings the guest back" shutdown_is_orderly
check "20 create and destroy rounds leave nothing" twenty_rounds
echo "@end"

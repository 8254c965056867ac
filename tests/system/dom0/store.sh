# SPDX-License-Identifier: MIT
# The store as a guest sees it: Debian's own xenstore-* programs and test-xenstore in the guest, through its ring, to our daemon.
# And the daemon killed while the guest asks: nothing is noticed.
. /mnt/lib.sh
document web web.img 10.77.0.10 >/tmp/web.json
guest_limit=120 # seconds, of a script in the guest
guest() { in_guest 10.77.0.10 "set -eu; home=/local/domain/$(domid web); $1; echo well"; }
# A script in the guest that must get to its end; what it says before is for people.
well() {
	guest "$1" >/tmp/guest.out || true
	cat /tmp/guest.out
	tail -n 1 /tmp/guest.out | grep -qx well
}

starts() {
	mullion apply /tmp/web.json
	serving 10.77.0.10
	xenstore-write /test/secret dom0s
}

# Debian's test program works in a node of that name, and removes it in the end; a guest may not make one in its home.
room() {
	xenstore-write "/local/domain/$(domid web)/xenstore-test" ""
	xenstore-chmod "/local/domain/$(domid web)/xenstore-test" "n$(domid web)"
}

tools() {
	well '
is() { [ "$1" = "$2" ] || { echo "got: $1"; echo "not: $2"; exit 1; }; }
ls /dev/xen/xenbus
xenstore-write data/a "from the guest" data/b/c ""
is "$(xenstore-read data/a)" "from the guest"
is "$(xenstore-read $home/data/a)" "from the guest"
is "$(xenstore-list data | sort | tr "\n" " ")" "a b "
is "$(xenstore-ls -f data/b)" "data/b/c = \"\""
xenstore-exists data/a
! xenstore-exists data/z
xenstore-chmod data/a "n${home##*/}" r0
xenstore-ls -p data | grep "^a = \"from the guest\" .*(n${home##*/},r0)"
xenstore-rm data/b
is "$(xenstore-list data)" a
xenstore-watch -n 3 data >/tmp/watched & watcher=$!
until [ "$(wc -l </tmp/watched)" = 3 ]; do xenstore-write data/w 1; usleep 100000; done
wait $watcher
is "$(sort -u /tmp/watched | tr "\n" " ")" "data data/w "'
	id=$(domid web)
	expect "as dom0 sees it" "$(xenstore-ls -fp "/local/domain/$id/data" | grep /a)" \
		"/local/domain/$id/data/a = \"from the guest\"   (n$id,r0)"
}

# By name where the program says one; the others' messages have none.
not_allowed() {
	well '
denied() { ! "$@" 2>/tmp/why || { echo "allowed: $*"; exit 1; }; cat /tmp/why; }
denied xenstore-ls /
grep -q "Permission denied" /tmp/why
denied xenstore-ls /test/secret
grep -q "Permission denied" /tmp/why
denied xenstore-chmod /test/secret "n${home##*/}"
grep -q "Permission denied" /tmp/why
denied xenstore-ls /local/domain/0/name/below
grep -q "Permission denied" /tmp/why
denied xenstore-chmod /nothing "n${home##*/}"
grep -q "Permission denied" /tmp/why
denied xenstore-read /test/secret
denied xenstore-list /test
denied xenstore-write /test/secret mine
denied xenstore-write name mine
denied xenstore-rm /test/secret
xenstore-ls nothing 2>&1 | grep "No such file or directory"'
	expect "the secret" "$(xenstore-ls -fp /test)" '/test/secret = "dom0s"   (n0)'
}

transactions() {
	room
	well '/usr/share/test/test-xenstore -i 5'
}

# The guest works until it is told to stop, and after each kill it has got on: each came in the midst of its requests.
killed() {
	id=$(domid web)
	room
	(guest '
/usr/share/test/test-xenstore -r 20 & other=$!
xenstore-watch -n 12 data/n >/tmp/watched & watcher=$!
n=0
until [ -s /tmp/watched ]; do usleep 100000; done
while ! xenstore-exists data/stop; do
	n=$((n + 1))
	xenstore-write data/n $n
	[ "$(xenstore-read data/n)" = $n ] || { echo "lost: $n"; exit 1; }
done
wait $other || { echo "transactions: $?"; exit 1; }
until [ "$(wc -l </tmp/watched)" = 12 ]; do n=$((n + 1)); xenstore-write data/n $n; done
wait $watcher
echo "$n rounds"' >/tmp/killed.out 2>&1) &
	work=$!
	progress() { now=$(xenstore-read "/local/domain/$id/data/n") && [ "$now" -gt "$1" ]; }
	until_within 60 progress 0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		was=$(xenstore-read "/local/domain/$id/data/n")
		kill -9 "$(store_daemon)"
		until_within 60 progress "$was"
	done
	xenstore-write "/local/domain/$id/data/stop" ""
	wait $work || true
	cat /tmp/killed.out
	tail -n 1 /tmp/killed.out | grep -qx well
	expect "accounts" "$(mullion-store control check)" OK
	serves 10.77.0.10
}

check "a guest with Debian's xenstore programs" starts
check "they work in the guest, by its relative paths, too" tools
check "what is another domain's is denied, by name" not_allowed
check "Debian's test-xenstore in the guest: transactions" transactions
check "the store killed while a guest asks: nothing is noticed" killed
echo "@end"

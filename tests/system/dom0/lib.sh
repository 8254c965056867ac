# SPDX-License-Identifier: MIT
# For the scripts beside this file, which run in dom0 (busybox sh). A script defines functions and calls `check "what is shown" function`;
# a function fails at its first failing command, and what it printed is then the reason that a person reads.
# web.json (the example document) and index.html (the page that its guest serves) are in /mnt.

ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

# check TITLE FUNCTION: one test.
check() {
	title=$1 begun=$(ms)
	(set -eu; "$2") >/tmp/check.out 2>&1 </dev/null
	status=$?
	seconds=$(awk -v ms=$(($(ms) - begun)) 'BEGIN { printf "%.1f", ms / 1000 }')
	if [ $status = 0 ]; then
		echo "@pass $title $seconds"
	else
		cat /tmp/check.out
		echo "(status $status; mulliond's log, last:)"
		tail -n 12 /var/log/mullion/mulliond.log
		echo "@fail $title $seconds"
	fi
}

die() {
	echo "$@"
	exit 1
}

not() { ! "$@"; } # a test fails at it, which it does not at a bare `!`

expect() { # expect WHAT GOT WANTED
	[ "$2" = "$3" ] || die "$1: got '$2', expected '$3'"
}

# document NAME IMAGE ADDRESS: the example document for another guest, on standard output.
document() {
	sed -e "s/\"name\": \"web\"/\"name\": \"$1\"/" -e "s|/images/web.img|/images/$2|" \
		-e "s|\"cmdline\": \"|&mullion.ip=$3 mullion.test |" /mnt/web.json
}

# until_within SECONDS COMMAND…: try again until it succeeds. For what dom0 has no event for: a guest's own progress.
# Each try has a shell of its own, so that a command which dies is tried again too.
until_within() {
	limit=$(($(ms) + $1 * 1000))
	shift
	until ("$@") >/tmp/until.out 2>&1; do
		[ "$(ms)" -lt "$limit" ] || { cat /tmp/until.out; die "still not so after ${limit} ms of uptime: $*"; }
		usleep 100000
	done
}

fetch() { timeout 300 wget -q -O "$2" "http://$1"; }
serves() { fetch "$1/index.html" /tmp/page.$$ && cmp /tmp/page.$$ /mnt/index.html; }
serving() { until_within 300 serves "$1" || { tail -n 20 /var/log/mullion/console/*.log; return 1; }; }

state() { mullion list | awk -v name="$1" '$1 == name { print $3 }'; }
is() { [ "$(state "$1")" = "$2" ]; }
domid() { mullion list | awk -v name="$1" '$1 == name { print $2 }'; }

# Run a script in the guest: with the kernel argument mullion.test it has a second web server for that.
in_guest() { # in_guest ADDRESS 'script'
	printf '%s' "$2" >/tmp/guest-script
	timeout "${guest_limit:-300}" wget -q -O - --post-file /tmp/guest-script "http://$1:8080/cgi-bin/run"
}

remove() {
	is "$1" running && mullion destroy "$1"
	mullion delete "$1"
}

# The store's daemon: the child of its keeper, which is the same program.
store_daemon() {
	for dir in /proc/[0-9]*; do
		[ "$dir/exe" -ef /usr/sbin/mullion-xenstored ] || continue
		parent=$(awk '/^PPid:/ { print $2 }' "$dir/status")
		[ ! "/proc/$parent/exe" -ef /usr/sbin/mullion-xenstored ] || echo "${dir#/proc/}"
	done
}

# What must be as before once guests are gone. xenstore without what counts upwards by itself.
free_pages() { mullion -o json list | awk '/memory_free/ { gsub(/[^0-9]/, ""); print $0 / 4096 }'; }
settled() { a=$(free_pages); usleep 300000; [ "$(free_pages)" = "$a" ]; } # memory is given back bit by bit
store_nodes() { xenstore-ls -f / | sed 's/ = .*//' | sort; }
processes() { for dir in /proc/[0-9]*; do basename "$(readlink "$dir/exe")" 2>/dev/null; done | grep -v -e busybox -e '^$' | sort; }
links() { ls /sys/class/net | sort; }
snapshot() { # snapshot NAME
	free_pages >"/tmp/$1.free"
	store_nodes >"/tmp/$1.store"
	processes >"/tmp/$1.processes"
	links >"/tmp/$1.links"
	ls /var/lib/mullion/domains /run/mullion >"/tmp/$1.files"
}
same() { # same BEFORE AFTER
	for part in free store processes links files; do
		diff "/tmp/$1.$part" "/tmp/$2.$part" || die "$part is not as before"
	done
}
as_before() { # as_before SNAPSHOT: backends of a dead guest end by themselves, so this may take a moment
	again() { snapshot now && same "$1" now; }
	until_within 30 again "$1"
}

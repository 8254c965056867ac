# SPDX-License-Identifier: MIT
# Bytes survive: 64 MiB through the disk and back, 64 MiB through the net, and a file across a restart of the guest.
. /mnt/lib.sh
document web web.img 10.77.0.10 >/tmp/web.json

starts() {
	mullion apply /tmp/web.json
	serving 10.77.0.10
}

disk_64m() {
	in_guest 10.77.0.10 '
		set -e
		dd if=/dev/urandom of=/tmp/seed bs=64k count=16 2>/dev/null
		seed_64_times() { for i in $(seq 64); do cat /tmp/seed; done; }
		seed_64_times | sha256sum >/tmp/wanted
		seed_64_times | dd of=/var/data bs=1M iflag=fullblock 2>/dev/null
		sync
		echo 3 >/proc/sys/vm/drop_caches
		dd if=/var/data bs=1M 2>/dev/null | sha256sum >/tmp/read
		cmp /tmp/wanted /tmp/read
		stat -c %s /var/data
		cut -d" " -f1 /tmp/read' >/tmp/disk
	cat /tmp/disk
	expect "bytes read back" "$(sed -n 1p /tmp/disk)" 67108864
	expect "length of the checksum" "$(sed -n 2p /tmp/disk | wc -c)" 65
}

net_64m() {
	in_guest 10.77.0.10 'ln -sf /var/data /var/www/data; sha256sum </var/data | cut -d" " -f1' >/tmp/guest.sum
	fetch 10.77.0.10/data /tmp/data
	expect "size" "$(stat -c %s /tmp/data)" 67108864
	expect "checksum" "$(sha256sum </tmp/data | cut -d' ' -f1)" "$(cat /tmp/guest.sum)"
}

net_64m_up() {
	mkdir -p /tmp/www
	ln -sf /tmp/data /tmp/www/data
	httpd -p 10.77.0.1:8000 -h /tmp/www
	expect "checksum in the guest" "$(in_guest 10.77.0.10 'wget -q -O - http://10.77.0.1:8000/data | sha256sum | cut -d" " -f1')" \
		"$(sha256sum </tmp/data | cut -d' ' -f1)"
}

survives_restart() {
	in_guest 10.77.0.10 'echo written before >/var/kept; sha256sum /var/data >/var/data.sum; sync'
	mullion shutdown --wait web
	not is web running
	mullion start web
	serving 10.77.0.10
	expect "the file" "$(in_guest 10.77.0.10 'cat /var/kept')" "written before"
	in_guest 10.77.0.10 'sha256sum -c /var/data.sum' | grep 'OK$'
}

survives_power_cut() {
	in_guest 10.77.0.10 'echo synced >/var/synced; sync'
	mullion destroy web
	mullion start web
	serving 10.77.0.10
	expect "the file" "$(in_guest 10.77.0.10 'cat /var/synced')" "synced"
}

ping_all_sizes() {
	for size in 1 100 1400 1472; do ping -c 3 -s $size -q 10.77.0.10; done
}

check "a guest with disk and net starts" starts
check "64 MiB through the disk, byte-exact" disk_64m
check "64 MiB download over the net, byte-exact" net_64m
check "64 MiB into the guest over the net, byte-exact" net_64m_up
check "small and full-size packets" ping_all_sizes
check "what the guest wrote is there after its restart" survives_restart
check "what the guest synced is there after destroy" survives_power_cut
echo "@end"

# SPDX-License-Identifier: MIT
# The demonstration, in dom0: apply the document, fetch the guest's page over our net backend, show what runs, weigh it.
# Lines that begin with @ are for lab.d/demo.py: @step TITLE, @page BASE64, @figure NAME VALUE; the rest is for the person.
ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
say() { echo; echo "dom0# $*"; }
seen() { timeout 5 wget -q -O /tmp/page http://10.77.0.10/ 2>/tmp/wget.err; }

echo "@figure dom0_first_process_uptime_s $(cut -d' ' -f1 /dev/.first-process)"
echo "@figure uptime_s $(cut -d' ' -f1 /proc/uptime)"

echo "@step mullion apply web.json"
start=$(ms)
say "mullion apply /mnt/web.json"
mullion apply /mnt/web.json || exit 1
echo "@figure apply_ms $(($(ms) - start))"

echo "@step the guest's page"
# The guest's server has no event that dom0 could wait on; each try waits in connect() while nobody answers.
until seen; do
	case $(mullion list -o json) in *'"running"'*) ;; *) mullion list; cat /var/log/mullion/console/web.log; exit 1 ;; esac
	[ $(($(ms) - start)) -gt 300000 ] && { cat /tmp/wget.err /var/log/mullion/console/web.log; exit 1; }
	usleep 100000
done
echo "@figure page_uptime_s $(cut -d' ' -f1 /proc/uptime)"
echo "@page $(base64 /tmp/page | tr -d '\n')"
say "wget -O - http://10.77.0.10/"
cat /tmp/page

echo "@step what runs and what it weighs"
say "mullion list"
mullion list
say "tail /var/log/mullion/console/web.log"
tail -n 12 /var/log/mullion/console/web.log && echo
for dir in /proc/[0-9]*; do
	name=$(basename "$(readlink "$dir/exe")" 2>/dev/null)
	case $name in mullion*) echo "@figure rss_kib_$name $(rss "${dir#/proc/}")" ;; esac
done
# What is neither free nor any domain's is the hypervisor's.
mullion -o json list | awk '
	/"memory":/ { gsub(/[^0-9]/, ""); last = $0; sum += $0 }
	/"memory_free":/ { gsub(/[^0-9]/, ""); free = $0 }
	END { printf "@figure hypervisor_kib %d\n", (last - (sum - last) - free) / 1024 }'
exit 0

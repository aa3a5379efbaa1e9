#!/bin/sh
# Network namespace of an instance, on the bridge of the host. Several instances, and two versions of a
# service, can then listen on the same ports.
#
#   network up NAME ADDRESS RULES    creates it; ADDRESS is in 10.90.0.0/16, RULES a file for nft
#                                    with the table slipway.NAME
#   network down NAME                deletes it
set -eu
bridge=slipway0
gateway=10.90.0.1

create_bridge() {
	ip link show dev "$bridge" >/dev/null 2>&1 || ip link add "$bridge" type bridge
	# Fixed MAC: a bridge otherwise takes the lowest of its ports.
	ip link set "$bridge" address 02:5a:0a:5a:00:01 up
	ip address replace "$gateway/16" dev "$bridge"
}

up() {
	down "$1"
	create_bridge
	sysctl -q -w net.ipv4.ip_forward=1
	nft -f "$3"
	interface="slipway$(echo "$2" | cut -d . -f 3,4 | tr . -)"
	ip netns add "$1"
	# The kernel deletes the interface of a deleted namespace later.
	ip link delete "$interface" 2>/dev/null || true
	# MAC derived from the address: ARP entries of other hosts stay valid.
	mac=$(echo "$2" | tr . ' ' | xargs printf '02:5a:%02x:%02x:%02x:%02x')
	ip link add "$interface" type veth peer name eth0 address "$mac" netns "$1"
	ip link set "$interface" master "$bridge" up
	ip -n "$1" address add "$2/16" dev eth0
	ip -n "$1" link set lo up
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "$gateway"
	# The user of the service may listen on any port of its namespace.
	ip netns exec "$1" sysctl -q -w net.ipv4.ip_unprivileged_port_start=0
}

down() {
	ip netns delete "$1" 2>/dev/null || true
	nft delete table ip "slipway.$1" 2>/dev/null || true
}

exec 9>/run/lock/slipway-network
flock 9
case "$1" in
up) up "$2" "$3" "$4" ;;
down) down "$2" ;;
*) echo "usage: network up NAME ADDRESS RULES | network down NAME" >&2 && exit 2 ;;
esac

# Opens what is answered through, one set for each bridge named before "--", and goes on with the command after it, which
# gets them as words such as br-office=5,6,7: descriptors of DHCP, DHCPv6 and ICMPv6 sockets. It runs with privileges inside
# the sandbox and reads nothing from any guest; what does has none. "br-office,4": without IPv6.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 IPPROTO_UDP IPPROTO_IPV6 IPV6_V6ONLY IPV6_JOIN_GROUP IN6ADDR_ANY);

# Descriptors stay open for the command.
$^F = 1000;
# linux/sockios.h, asm-generic/socket.h, linux/in6.h, linux/icmpv6.h, RFC 4861 4.1
use constant { SIOCGIFINDEX => 0x8933, SO_BINDTODEVICE => 25, IPV6_UNICAST_HOPS => 16, ICMP6_FILTER => 1 };
use constant { IPPROTO_ICMPV6 => 58, ROUTER_SOLICIT => 133 };

my @bridges;
while (@ARGV and (my $word = shift) ne '--') { push @bridges, $word }

sub opened {
	my ($bridge, $family, $type, $protocol) = @_;
	socket(my $socket, $family, $type, $protocol) or die "$bridge: socket: $!\n";
	setsockopt($socket, SOL_SOCKET, SO_BINDTODEVICE, "$bridge\0") or die "$bridge: $!\n";
	return $socket;
}

sub udp {
	my ($bridge, $family, $address) = @_;
	my $socket = opened($bridge, $family, SOCK_DGRAM, IPPROTO_UDP);
	# One is bound for each bridge.
	setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) or die "$bridge: reuse: $!\n";
	if ($family == AF_INET6) { setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) or die "$bridge: $!\n" }
	bind($socket, $address) or die "$bridge: bind: $!\n";
	return $socket;
}

my (@kept, @words);
for (@bridges) {
	my ($bridge, $only4) = split /,/;
	my $four = udp($bridge, AF_INET, pack_sockaddr_in(67, INADDR_ANY));
	setsockopt($four, SOL_SOCKET, SO_BROADCAST, 1) or die "$bridge: broadcast: $!\n";
	my @all = ($four);
	if (!$only4) {
		my $request = pack 'a16 x24', $bridge;
		ioctl($four, SIOCGIFINDEX, $request) or die "$bridge: $!\n";
		my $index = unpack 'x16 i', $request;
		my $six = udp($bridge, AF_INET6, pack_sockaddr_in6(547, IN6ADDR_ANY));
		my $group = inet_pton(AF_INET6, 'ff02::1:2') . pack('i', $index);
		setsockopt($six, IPPROTO_IPV6, IPV6_JOIN_GROUP, $group) or die "$bridge: join: $!\n";
		my $routers = opened($bridge, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
		# What nobody here has a use for; a bit that is set blocks its type.
		my $filter = "\xff" x 32;
		vec($filter, ROUTER_SOLICIT, 1) = 0;
		setsockopt($routers, IPPROTO_ICMPV6, ICMP6_FILTER, $filter) or die "$bridge: filter: $!\n";
		# RFC 4861, 6.1.2: advertisements with any other number are not believed.
		setsockopt($routers, IPPROTO_IPV6, IPV6_UNICAST_HOPS, pack('i', 255)) or die "$bridge: hops: $!\n";
		push @all, $six, $routers;
	}
	push @kept, @all;
	push @words, "$bridge=" . join ',', map { fileno $_ } @all;
}
exec { $ARGV[0] } @ARGV, @words or die "$ARGV[0]: $!\n";

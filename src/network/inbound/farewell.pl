# Tells clients that the server they are talking to has gone, in its name: otherwise whoever waits for its answer waits for
# long, as nothing comes any more. One line of standard input for each: "tcp|udp|ask|syn CLIENT PORT SERVER PORT", where syn is
# one that is about to connect, and ask one that has asked by UDP and is told when the server is seen to serve again.
#
# By UDP: that the port is unreachable (RFC 792, RFC 4443). By TCP a reset is believed only with the number that the client
# expects next (RFC 5961, 3.2), which nobody here knows; so the client is asked: to a segment outside of its window it answers
# with an acknowledgement (RFC 9293, 3.10.7.4), and that carries the number. Those that send nothing within half a second
# are left alone, and said: their lines are its output. Who is about to connect believes a reset only with a number that was in
# what it sent and is gone; but it takes the beginning of a connection from the other end for one that both begin at once
# (RFC 9293, 3.5), and from then on the number is ours.
#
# A question that is refused is asked once more, and then no more (glibc 2.36 with one name server; the second one is waited for
# for 5 s). So where the server itself comes back, it is refused when that serves. Not if it was asked again meanwhile, nor after
# 5 s, when whoever asks does so by himself.
#
# What is opened here is opened with privileges; when it is read what others send there are none left.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 IPPROTO_RAW);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

# asm-generic/socket.h; linux/if_ether.h; linux/if_packet.h; linux/sockios.h. The firewall lets out what bears the mark: only who may
# administer the network can set it.
use constant { SO_MARK => 36, AF_PACKET => 17, ETH_P_ALL => 0x0003, SIOCGIFNAME => 0x8910, MARK => 0x62756c6b };
use constant { TCP => 6, UDP => 17, ICMP6 => 58, ACK => 0x10, RST => 0x04, SYN => 0x02, WAIT => 0.5 };
# resolv.conf(5): from a question to the next.
use constant PATIENCE => 5;
# Seconds until what a server does at other ports counts. Its failed session may still have taken a connection before.
use constant ELSEWHERE => 1;
# asm-generic/socket.h; linux/filter.h: load a word, compare it and leave out one, accept the whole, accept nothing; linux/if_packet.h.
use constant { SO_ATTACH_FILTER => 26, LOAD => 0x20, EQUAL => 0x15, RETURN => 0x06, OUTGOING => 4 };

my %raw;
for my $family (AF_INET, AF_INET6) {
	# Without IPv6 in the kernel there is no client by it.
	socket($raw{$family}, $family, SOCK_RAW, IPPROTO_RAW) or $family == AF_INET6 ? next : die "socket: $!\n";
	setsockopt($raw{$family}, SOL_SOCKET, SO_MARK, pack('I', MARK)) or die "mark: $!\n";
}
socket(my $heard, AF_PACKET, SOCK_DGRAM, unpack('S', pack('n', ETH_P_ALL))) or die "packet socket: $!\n";
$( = $) = "65534 65534";
$< = $> = 65534;
die "privileges stay\n" if $> != 65534 or $< != 65534;

sub sum {
	my ($data) = @_;
	$data .= "\0" if length($data) % 2;
	my $sum = unpack '%32n*', $data;
	$sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
	return ~$sum & 0xffff;
}

# An IP packet; addresses are packed.
sub packet {
	my ($from, $to, $protocol, $payload) = @_;
	return pack('N n C C a16 a16', 0x60000000, length $payload, $protocol, 64, $from, $to) . $payload if length $from == 16;
	my $header = pack 'C C n n n C C n a4 a4', 0x45, 0, 20 + length $payload, 0, 0x4000, 64, $protocol, 0, $from, $to;
	substr($header, 10, 2) = pack 'n', sum($header);
	return $header . $payload;
}

# What checksums of TCP, and of all that goes by IPv6, cover as well.
sub pseudo {
	my ($from, $to, $protocol, $length) = @_;
	return length $from == 16
		? pack('a16 a16 N N', $from, $to, $length, $protocol)
		: pack('a4 a4 C C n', $from, $to, 0, $protocol, $length);
}

sub out {
	my ($to, $packet) = @_;
	my $six = length $to == 16;
	my $socket = $raw{ $six ? AF_INET6 : AF_INET } or return;
	send $socket, $packet, 0, $six ? pack_sockaddr_in6(0, $to) : pack_sockaddr_in(0, $to);
}

sub segment {
	my ($server, $server_port, $client, $client_port, $number, $flags) = @_;
	my $tcp = pack 'n n N N C C n n n', $server_port, $client_port, $number, 0, 0x50, $flags, 0, 0, 0;
	substr($tcp, 16, 2) = pack 'n', sum(pseudo($server, $client, TCP, length $tcp) . $tcp);
	out($client, packet($server, $client, TCP, $tcp));
}

sub unreachable {
	my ($server, $server_port, $client, $client_port) = @_;
	# The packet that it is about, as far as anybody looks at it.
	my $about = packet($client, $server, UDP, pack 'n n n n', $client_port, $server_port, 8, 0);
	my $six = length $server == 16;
	my $icmp = pack('C C n N', $six ? (1, 4) : (3, 3), 0, 0) . $about;
	substr($icmp, 2, 2) = pack 'n', sum(($six ? pseudo($server, $client, ICMP6, length $icmp) : '') . $icmp);
	out($client, packet($server, $client, $six ? ICMP6 : 1, $icmp));
}

# @return name of the interface
sub seen_at {
	my ($where) = @_;
	# struct sockaddr_ll, struct ifreq
	my $request = pack 'x16 i x20', unpack 'x4 i', $where;
	return ioctl($heard, SIOCGIFNAME, $request) ? unpack 'Z16', $request : '';
}

# Whether a packet was seen where it is known that its sender may send as who he says: at the cable to the host, and at
# bridges. At a guest's port it is seen before the firewall has judged it, and a guest may have made it up.
sub believed { return seen_at(@_) =~ /^(uplink$|br-)/ }

# Whether it comes from a guest, and is not what is said here in its name.
sub from_guest { my ($where) = @_; return unpack('x10 C', $where) != OUTGOING && seen_at($where) =~ /^br-/ }

# Hears what comes from these addresses and goes to them, and nothing of what others say: there may be much of it. Of IPv6 the
# last words are compared, and after IPv4: a packet that is too short for the word that is looked at is not heard.
sub hear_only {
	my $code = '';
	for my $address (sort { length $a <=> length $b } @_) {
		my $word = unpack 'N', substr $address, -4;
		for my $place (length $address == 4 ? (12, 16) : (20, 36)) {
			$code .= pack '(S C C L)3', LOAD, 0, 0, $place, EQUAL, 0, 1, $word, RETURN, 0, 0, 0xffff;
		}
	}
	$code .= pack 'S C C L', RETURN, 0, 0, 0;
	# Where there is no room for it, all is heard, which is as good and slower.
	setsockopt $heard, SOL_SOCKET, SO_ATTACH_FILTER, pack 'S x6 P', length($code) / 8, $code;
}

my (@lines, %servers);
while (<STDIN>) {
	my ($protocol, $client, $client_port, $server, $server_port) =
		/^(tcp|udp|ask|syn) ([0-9a-f.:]+) (\d+) ([0-9a-f.:]+) (\d+)$/ or die "no connection: $_";
	my ($from, $to) = map { inet_pton(/:/ ? AF_INET6 : AF_INET, $_) // die "no address: $_\n" } $client, $server;
	push @lines, [$_, $protocol, $from, $client_port, $to, $server_port];
	$servers{$to} = 1;
}
hear_only(keys %servers);

my (%asked, %waiting, %ports);
for (@lines) {
	my ($line, $protocol, $from, $client_port, $to, $server_port) = @$_;
	my $one = join '', $from, $to, pack 'n n', $client_port, $server_port;
	if ($protocol eq 'udp') { unreachable($to, $server_port, $from, $client_port); next }
	if ($protocol eq 'ask') {
		$waiting{$one} = [$to, $server_port, $from, $client_port];
		$ports{$server_port} = 1;
		next;
	}
	if ($protocol eq 'syn') {
		my $number = int rand 2**32 - 1;
		segment($to, $server_port, $from, $client_port, $number, SYN);
		segment($to, $server_port, $from, $client_port, $number + 1, RST);
		next;
	}
	$asked{$one} = $line;
	segment($to, $server_port, $from, $client_port, int rand 2**32, ACK);
}

my $begin = clock_gettime(CLOCK_MONOTONIC);
my $end = $begin + (%waiting ? PATIENCE : WAIT);
while ((%asked or %waiting) and (my $left = $end - clock_gettime(CLOCK_MONOTONIC)) > 0) {
	my $ready = '';
	vec($ready, fileno $heard, 1) = 1;
	select($ready, undef, undef, $left) or last;
	my $where = recv $heard, my $packet, 65536, 0;
	next if length $packet < 28;
	my $version = unpack('C', $packet) >> 4;
	my ($protocol, $start, $from, $to) =
		$version == 4 ? (unpack('C', substr $packet, 9, 1), 4 * (unpack('C', $packet) & 15), substr($packet, 12, 4), substr($packet, 16, 4))
		: $version == 6 ? (unpack('C', substr $packet, 6, 1), 40, substr($packet, 8, 16), substr($packet, 24, 16))
		: next;
	next if ($protocol != TCP and $protocol != UDP) or length $packet < $start + ($protocol == TCP ? 20 : 8);
	my ($from_port, $to_port) = unpack 'n n', substr $packet, $start, 4;
	my ($number, $flags) = $protocol == TCP ? unpack 'N x C', substr $packet, $start + 8, 6 : (0, 0);
	my $one = join '', $from, $to, pack 'n n', $from_port, $to_port;
	if (%waiting and $protocol == UDP and believed($where)) {
		# Asked again, or answered.
		delete $waiting{$one};
		delete $waiting{ join '', $to, $from, pack 'n n', $to_port, $from_port };
	}
	# It answers or takes a connection at a port that was asked; after a while, at any, as nobody else may ask there.
	my $serves = ($protocol == UDP or ($flags & (SYN | ACK)) == (SYN | ACK))
		&& ($ports{$from_port} || ($protocol == TCP and clock_gettime(CLOCK_MONOTONIC) > $begin + ELSEWHERE));
	if (%waiting and $servers{$from} and $serves and from_guest($where)) {
		unreachable(@$_) for values %waiting;
		%waiting = ();
	}
	next if $protocol != TCP or !$asked{$one} or !believed($where);
	delete $asked{$one};
	# Whoever has ended it himself needs no reset, and whoever connects anew from the same port is to get none.
	segment($to, $to_port, $from, $from_port, $number, RST) if ($flags & (SYN | ACK | RST)) == ACK;
}
print values %asked;

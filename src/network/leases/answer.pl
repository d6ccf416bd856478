# Answers guests that ask for their addresses: DHCP (RFC 2131), DHCPv6 (RFC 8415) and router solicitations (RFC 4861).
# Everything is told by the list, which is read again on SIGHUP; nothing that a guest says is kept, so no flood of requests,
# releases or refusals can use anything up or change what the next one is told. It runs without any privilege: its sockets,
# each bound to one bridge, are handed to it (open.pl). Arguments: the list, then words such as br-office=5,6,7.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 unpack_sockaddr_in6);
use Errno qw(EINTR);

my $forever = 0xffffffff;
# Seconds that a router is believed, the most that RFC 4861 allows, and between two times that guests are told of it unasked.
my ($routerFor, $tellEvery) = (9000, 600);

my $list = shift;
my ($again, %byMac, %byLinkLocal, %bridges) = (1);
$SIG{HUP} = sub { $again = 1 };

sub mac { pack 'H12', $_[0] =~ s/://gr }
sub four { $_[0] eq '-' ? '' : inet_pton(AF_INET, $_[0]) }
sub six { $_[0] eq '-' ? '' : inet_pton(AF_INET6, $_[0]) }

# The lines of list.ts.
sub readList {
	(%byMac, %byLinkLocal, %bridges) = ();
	open my $file, '<', $list or die "$list: $!\n";
	while (<$file>) {
		my ($kind, $bridge, $mac, @rest) = split;
		if ($kind eq 'segment') {
			my ($own, $mask, $router, $dns, $prefix, $length, $dns6) = @rest;
			$bridges{$bridge} = {
				mac => mac($mac), own => four($own), mask => four($mask), router => four($router), dns => four($dns),
				prefix => six($prefix), length => $length, dns6 => six($dns6),
			};
		} else {
			my ($address, $address6, $linkLocal) = @rest;
			my $server = { bridge => $bridge, mac => mac($mac), address => four($address), address6 => six($address6), linkLocal => six($linkLocal) };
			$byMac{$bridge}{$server->{mac}} = $server;
			$byLinkLocal{$bridge}{$server->{linkLocal}} = $server if $server->{address6} ne '';
		}
	}
}

# ---- DHCP

my $magic = "\x63\x82\x53\x63";

# Options by number; undef for a packet of another shape.
sub options4 {
	my ($bytes) = @_;
	my ($at, %found) = (0);
	while ($at < length $bytes) {
		my $code = ord substr $bytes, $at++, 1;
		next if $code == 0;
		last if $code == 255;
		return undef if $at >= length $bytes;
		my $length = ord substr $bytes, $at++, 1;
		return undef if $at + $length > length $bytes;
		$found{$code} = substr $bytes, $at, $length;
		$at += $length;
	}
	return \%found;
}

# @returns the answer and whether it is for everybody to hear, or nothing
sub answer4 {
	my ($bridge, $packet) = @_;
	return if length $packet < 241 or length $packet > 1500;
	my ($op, $type, $macLength, $xid, $flags, $ciaddr, $giaddr, $chaddr) = unpack 'C C C x a4 x2 n a4 x8 a4 a16', $packet;
	return if $op != 1 or $type != 1 or $macLength != 6 or $giaddr ne "\0\0\0\0" or substr($packet, 236, 4) ne $magic;
	my $server = $byMac{$bridge}{substr $chaddr, 0, 6} or return;
	my $segment = $bridges{$bridge} or return;
	my $asked = options4(substr $packet, 240) or return;
	my $kind = ord($asked->{53} // "\0");
	my $none = "\0\0\0\0";
	my $own = $server->{address};
	my $answer;
	if ($kind == 1) { $answer = 2 }
	elsif ($kind == 3) {
		return if defined $asked->{54} and $asked->{54} ne $segment->{own};
		my $wanted = $asked->{50} // $ciaddr;
		$answer = $wanted eq $own && ($ciaddr eq $none || $ciaddr eq $own) ? 5 : 6;
	} elsif ($kind == 8) { return if $ciaddr ne $own; $answer = 5 }
	else { return }
	my @tell = ([53, chr $answer], [54, $segment->{own}]);
	push @tell, [61, $asked->{61}] if defined $asked->{61};
	push @tell, [51, pack 'N', $forever] if $answer != 6 and $kind != 8;
	push @tell, [1, $segment->{mask}], [3, $segment->{router}], [6, $segment->{dns}] if $answer != 6;
	my $yours = $answer == 6 || $kind == 8 ? $none : $own;
	# One that has no address yet and one whose address is wrong hear what is sent to everybody; only the port with this
	# hardware address gets it.
	my $toAll = $answer == 6 || ($flags & 0x8000 && $ciaddr eq $none);
	$flags |= 0x8000 if $answer == 6;
	my $reply = pack 'C C C C a4 n n a4 a4 a4 a4 a16 x192 a4', 2, 1, 6, 0, $xid, 0, $flags,
		($answer == 6 ? $none : $ciaddr), $yours, $none, $none, $chaddr, $magic;
	$reply .= pack 'C C/a*', @$_ for @tell;
	$reply .= "\xff";
	# Some clients take no less than a BOOTP packet.
	$reply .= "\0" x (300 - length $reply) if length $reply < 300;
	return ($reply, pack_sockaddr_in(68, $toAll ? INADDR_BROADCAST : $own));
}

# ---- DHCPv6

sub option6 { pack 'n n/a*', @_ }

# Options in their order, each number and content; undef for a packet of another shape.
sub options6 {
	my ($bytes) = @_;
	my ($at, @found) = (0);
	while ($at < length $bytes) {
		return undef if $at + 4 > length $bytes;
		my ($code, $length) = unpack 'n n', substr $bytes, $at, 4;
		return undef if $at + 4 + $length > length $bytes;
		push @found, [$code, substr $bytes, $at + 4, $length];
		$at += 4 + $length;
	}
	return \@found;
}

# What is said of one of the client's sets of addresses.
sub association {
	my ($content, $own, $renews) = @_;
	my $id = substr $content, 0, 4;
	return option6(3, $id . pack('N N', 0, 0) . option6(13, pack 'n', 2)) if !defined $own;
	my $tell = option6(5, $own . pack 'N N', $forever, $forever);
	if ($renews) {
		my $has = options6(substr $content, 12) // [];
		my %wrong = map { substr($_->[1], 0, 16) => 1 } grep { $_->[0] == 5 && length $_->[1] >= 24 } @$has;
		delete $wrong{$own};
		# So that a flood of them makes no large answer.
		my @wrong = (sort keys %wrong)[0 .. (keys %wrong > 8 ? 7 : keys(%wrong) - 1)];
		$tell .= option6(5, $_ . pack 'N N', 0, 0) for @wrong;
	}
	return option6(3, $id . pack('N N', $forever, $forever) . $tell);
}

sub answer6 {
	my ($bridge, $from, $packet) = @_;
	return if length $packet < 4 or length $packet > 1500;
	my $server = $byLinkLocal{$bridge}{$from} or return;
	my $segment = $bridges{$bridge} or return;
	my $asked = options6(substr $packet, 4) or return;
	my %first = map { $_->[0] => $_->[1] } reverse @$asked;
	my ($kind, $xid) = (ord $packet, substr $packet, 1, 3);
	# RFC 8415, 11.4: named by its hardware address.
	my $duid = pack('n n', 3, 1) . $segment->{mac};
	my $client = $first{1};
	return if defined $client and length $client > 130;
	return if defined $first{2} and $first{2} ne $duid;
	# RFC 8415, 16: who must name whom.
	return if !defined $client and $kind != 11;
	return if !defined $first{2} and grep { $kind == $_ } 3, 5, 8, 9;
	return if defined $first{2} and grep { $kind == $_ } 1, 4, 6;
	my $tell = option6(2, $duid);
	$tell .= option6(1, $client) if defined $client;
	my @sets = grep { $_->[0] == 3 && length $_->[1] >= 12 } @$asked;
	my $answer = 7;
	if (grep { $kind == $_ } 1, 3, 5, 6) {
		my $rapid = $kind == 1 && defined $first{14};
		$answer = 2 if $kind == 1 && !$rapid;
		$tell .= option6(14, '') if $rapid;
		my $own = $server->{address6};
		for my $set (@sets[0 .. ($#sets > 3 ? 3 : $#sets)]) {
			$tell .= association($set->[1], $own, $kind == 5 || $kind == 6);
			# It has one address; further sets get none.
			undef $own;
		}
	} elsif ($kind == 4) {
		my @has = map { grep { $_->[0] == 5 && length $_->[1] >= 24 } @{options6(substr $_->[1], 12) // []} } @sets;
		return if !@has;
		my $right = !grep { substr($_->[1], 0, 16) ne $server->{address6} } @has;
		$tell .= option6(13, pack 'n', $right ? 0 : 4);
	} elsif ($kind == 8 || $kind == 9) { $tell .= option6(13, pack 'n', 0) }
	elsif ($kind != 11) { return }
	$tell .= option6(23, $segment->{dns6}) if $segment->{dns6} ne '';
	return chr($answer) . $xid . $tell;
}

# ---- routers

# Addresses come by DHCPv6 (managed, 0x80, and all else too, 0x40), never by themselves.
sub advertisement {
	my ($segment) = @_;
	my $tell = pack 'C C n C C n N N', 134, 0, 0, 64, 0xc0, $routerFor, 0, 0;
	$tell .= pack 'C C a6', 1, 1, $segment->{mac};
	# The prefix is on the link (0x80).
	$tell .= pack 'C C C C N N N a16', 3, 4, $segment->{length}, 0x80, $forever, $forever, 0, $segment->{prefix} if $segment->{prefix} ne '';
	$tell .= pack 'C C n N a16', 25, 3, 0, $routerFor, $segment->{dns6} if $segment->{dns6} ne '';
	return $tell;
}

# ---- the loop

my (@sockets, %routersOf);
for (@ARGV) {
	my ($bridge, @numbers) = split /[=,]/;
	my @kinds = ('four', 'six', 'routers');
	for my $number (@numbers) {
		open my $socket, '+<&=', $number or die "descriptor $number: $!\n";
		binmode $socket;
		my $kind = shift @kinds;
		push @sockets, { kind => $kind, bridge => $bridge, socket => $socket };
		$routersOf{$bridge} = $socket if $kind eq 'routers';
	}
}

# What cannot be sent is not waited for; the guest asks again.
sub give { my ($socket, $what, $to) = @_; send($socket, $what, 64, $to) }

sub take {
	my ($one) = @_;
	my ($bridge, $socket) = ($one->{bridge}, $one->{socket});
	my $from = recv($socket, my $packet, 2048, 64);
	return if !defined $from;
	if ($one->{kind} eq 'four') {
		my ($reply, $to) = answer4($bridge, $packet);
		give($socket, $reply, $to) if defined $reply;
		return;
	}
	my (undef, $address, $scope) = unpack_sockaddr_in6($from);
	if ($one->{kind} eq 'six') {
		my $reply = answer6($bridge, $address, $packet);
		give($socket, $reply, pack_sockaddr_in6(546, $address, $scope)) if defined $reply;
	} elsif ($byLinkLocal{$bridge}{$address} and $bridges{$bridge}) {
		give($socket, advertisement($bridges{$bridge}), pack_sockaddr_in6(0, $address, $scope));
	}
}

# One at a time, each to its own port: nothing is ever flooded.
sub tellOfRouters {
	for my $bridge (keys %routersOf) {
		my $segment = $bridges{$bridge} or next;
		give($routersOf{$bridge}, advertisement($segment), pack_sockaddr_in6(0, $_)) for keys %{$byLinkLocal{$bridge}};
	}
}

my $nextAt = time + $tellEvery;
for (;;) {
	if ($again) { $again = 0; readList() }
	if (time >= $nextAt) { $nextAt = time + $tellEvery; tellOfRouters() }
	my $wanted = '';
	vec($wanted, fileno $_->{socket}, 1) = 1 for @sockets;
	my $count = select(my $ready = $wanted, undef, undef, 10);
	if ($count < 0) { next if $! == EINTR; die "select: $!\n" }
	next if $count == 0;
	for (@sockets) { take($_) if vec($ready, fileno $_->{socket}, 1) }
}

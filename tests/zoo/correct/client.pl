#!/usr/bin/perl
# A client for any of the chats, in Perl: what is typed goes out, what comes is shown.
# One process; select() waits for the keyboard and the socket at once.
#
#     perl client.pl 127.0.0.1 8004
use strict;
use warnings;
use Encode ();
use Errno qw(EINTR EAGAIN);
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SHUT_WR IPPROTO_TCP TCP_NODELAY);

@ARGV == 2 && $ARGV[1] =~ /^\d{1,5}$/ && $ARGV[1] < 65536 or do {
    print STDERR "usage: client.pl HOST PORT\n";
    exit 2;
};
my ($host, $port) = @ARGV;
my $server = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Proto => 'tcp') or do {
    print STDERR "cannot connect to $host:$port: $@; is the server running?\n";
    exit 1;
};
setsockopt $server, IPPROTO_TCP, TCP_NODELAY, 1;
$server->blocking(0);
STDOUT->autoflush(1);
$SIG{PIPE} = 'IGNORE';

my $OUT_MAX = 64 * 1024;    # bytes typed but not yet sent, before we stop reading the keyboard
my ($in, $out, $typing) = ('', '', 1);
my $last = "\n";            # the byte that was typed last

sub finish {
    my ($why, $status) = @_;
    print STDERR "$why\n";
    exit $status;
}

# L5: what a stranger sends must not steer this terminal.
sub show {
    my $text = Encode::decode('UTF-8', $_[0]);    # what is no UTF-8 becomes U+FFFD
    $text =~ s/\r\z//;
    $text =~ s/(?!\t)[\p{Cc}\x{61C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}\x{2028}\x{2029}\x{E0000}-\x{E007F}]/\x{FFFD}/g;
    print Encode::encode('UTF-8', "$text\n");
}

while (1) {
    my $readers = IO::Select->new($server);
    $readers->add(\*STDIN) if $typing && length $out < $OUT_MAX;
    my $writers = IO::Select->new(length $out ? $server : ());
    my ($readable, $writable) = IO::Select->select($readers, $writers) or next;

    for my $handle (@{ $readable || [] }) {
        if ($handle == $server) {
            my $count = sysread $server, $in, 16384, length $in;
            if (!defined $count) {
                next if $!{EINTR} || $!{EAGAIN};
                finish("the connection broke: $!", 1);
            }
            show($1) while $in =~ s/\A([^\n]*)\n//;
            finish('the server ended the connection', 0) if $count == 0;
        }
        else {
            my $count = sysread STDIN, $out, 16384, length $out;
            next if !defined $count && $!{EINTR};
            if ($count) {
                $last = substr $out, -1;
            }
            else {
                $typing = 0;
                $out .= "\n" if $last ne "\n";    # the last line may have none
                shutdown $server, SHUT_WR unless length $out;
            }
        }
    }
    if (length $out && @{ $writable || [] }) {
        my $count = syswrite $server, $out;
        if (defined $count) {
            substr($out, 0, $count) = '';
            shutdown $server, SHUT_WR if !$typing && !length $out;
        }
        elsif (!$!{EINTR} && !$!{EAGAIN}) {
            finish("the connection broke: $!", 1);
        }
    }
}

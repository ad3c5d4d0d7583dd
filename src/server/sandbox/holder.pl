# The first process of a slot's outer sandbox. It makes inner sandboxes: each has all its namespaces to itself, runs
# one command, and is thrown away whole. It starts nothing but them, and reads no byte that a command writes.
#
# On CONTROL comes one byte for each inner sandbox, with four descriptors: its stdout, its stderr, where its command comes
# from, and a socket. On the socket is told how it ended, when its processes are all dead; whoever closes the other end
# kills it. No module is loaded but strict, and what can be prepared is, once: each page of memory that an inner
# sandbox's first process writes to is copied for it, and those copies were most of what it cost.
use strict;
# perl ignores it, and so would all that is started in here.
$SIG{FPE} = 'DEFAULT';
# Library calls are bound once, not again in each sandbox, and no files of a locale are mapped: for this program only.
delete @ENV{qw(LD_BIND_NOW LC_ALL)};

my ($slot, $tmp_bytes, $closed, $script, %number) = @ARGV;
$_ += 0 for values %number;

sub CONTROL() { 3 }
sub FILTER() { 4 }
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET; a descriptor of the process; SIGCHLD. And CLONE_NEWUSER.
sub NEW() { 0x6e02_0000 | 0x1000 | 17 }
sub NEW_USERS() { 0x1000_0000 }
# CLONE_VFORK, SIGCHLD: what is written to when the other has gone is not copied.
sub NEW_SHELL() { 0x4000 | 17 }
sub READ_ONLY() { 1 }
sub NOSUID() { 2 }
sub NODEV() { 4 }
sub NOEXEC() { 8 }
sub REMOUNT() { 32 | 4096 }
sub BIND() { 4096 | 16384 }
sub DETACH() { 2 }
sub WRITE_CLOEXEC() { 0x8_0001 }
sub SIOCSIFFLAGS() { 0x8914 }
sub UP() { 1 }
sub INTERRUPTED() { 4 }
sub SET_DUMPABLE() { 4 }
sub SET_SECCOMP() { 22 }
sub FILTER_MODE() { 2 }
sub IN_BOUNDING_SET() { 23 }
sub DROP_FROM_BOUNDING_SET() { 24 }
sub CAPABILITIES() { 0x2008_0522 }
sub ALL() { 0xffff_ffff }

# A system call: its number, its arguments.
sub prepared {
    my ($name, @arguments) = @_;
    # What is shared with others, perl would copy at each call.
    $_ .= '' for grep { /\D/ || $_ eq '' } @arguments;
    return [ $number{$name}, \@arguments ];
}

sub fail {
    my ($call) = @_;
    my ($name) = grep { $number{$_} == $call->[0] } keys %number;
    die join(' ', $name, grep { m{^/} } @{ $call->[1] }) . ": $!\n";
}

my $filter = '';
if (open(my $file, '<&=', FILTER)) {
    binmode $file;
    local $/;
    $filter = <$file> // '';
    close $file;
}
my $filter_program = pack 'S x6 P', length($filter) / 8, $filter;

my @becoming_first = map { prepared(@$_) } (
    [ close_range => 4, ALL, 0 ],
    # A session of its own, so that a signal to the process group stays in here.
    ['setsid'],
    places(),
    [ chdir => '/workspace' ],
    loopback(),
    # After this the mounts belong to users that nobody in here can become.
    [ unshare => NEW_USERS ],
    # The outer sandbox has denied setgroups, also in what is below it.
    writing('/proc/self/uid_map', '1000 0 1'),
    writing('/proc/self/gid_map', '1000 0 1'),
    # Nobody may write to this memory. The shell gets its own.
    [ prctl => SET_DUMPABLE, 0, 0, 0, 0 ],
    (map { [ prctl => DROP_FROM_BOUNDING_SET, $_, 0, 0, 0 ] } capabilities()),
    [ capset => pack('L l', CAPABILITIES, 0), "\0" x 24 ],
    ($filter eq '' ? () : [ prctl => SET_SECCOMP, FILTER_MODE, $filter_program, 0, 0 ]),
    [ dup3 => 2, 8, 0 ],
);

my @words = ('bash', '-c', $script);
my @environment = map { "$_=$ENV{$_}" } sort keys %ENV;
my ($bash) = grep { -x } map { "$_/bash" } split /:/, $ENV{PATH};
my $becoming_shell = prepared(execve => $bash // 'bash', map { pack 'P' x @$_ . ' Q', @$_, 0 } \@words, \@environment);
my $making_shell = prepared(clone => NEW_SHELL, 0, 0, 0, 0);

# For a call to find no word of this in /proc/1.
$0 = 'sandbox';

my %inner; # by the descriptor of its first process: that process's id, its socket
while (1) {
    my $wanted = '';
    vec($wanted, $_, 1) = 1 for CONTROL, keys %inner, map { $_->{is_killed} ? () : $_->{socket} } values %inner;
    if (select($wanted, undef, undef, undef) == -1) {
        next if $! == INTERRUPTED;
        die "select: $!\n";
    }
    for my $descriptor (keys %inner) {
        my $one = $inner{$descriptor};
        if (vec($wanted, $descriptor, 1)) {
            tell_end($descriptor);
        }
        elsif (vec($wanted, $one->{socket}, 1)) {
            kill KILL => $one->{pid};
            $one->{is_killed} = 1;
        }
    }
    make(receive()) if vec($wanted, CONTROL, 1);
}

# The descriptors of the next inner sandbox. At the end of CONTROL the server is dead, or wants no more.
sub receive {
    my $byte = my $descriptors = "\0" x 64;
    # Memory of their own, which the kernel may write to.
    vec($_, 0, 8) = 0 for $byte, $descriptors;
    my $vector = pack 'P Q', $byte, 1;
    my $message = pack 'Q L x4 P Q P Q L x4', 0, 0, $vector, 1, $descriptors, length $descriptors, 0;
    syscall($number{recvmsg}, CONTROL, $message, 0) != -1 or die "recvmsg: $!\n";
    exit 0 if vec($byte, 0, 8) == 0;
    my ($length, undef, undef, @received) = unpack 'Q l l l4', $descriptors;
    die "four descriptors were to come\n" if $length != 32;
    return @received;
}

sub make {
    my ($stdout, $stderr, $commands, $socket) = @_;
    my $descriptor = pack 'l', -1;
    my $pid = syscall($number{clone}, NEW, 0, $descriptor, 0, 0);
    if ($pid == 0) {
        eval { become_first($stdout, $stderr, $commands) };
        syswrite STDERR, "sandbox: $@";
        syscall($number{exit_group}, 125);
    }
    if ($pid == -1) {
        write_to($stderr, "sandbox: clone: $!\n");
        write_to($socket, "exit 125\n");
        close_all($socket);
    }
    else {
        $inner{ unpack 'l', $descriptor } = { pid => $pid, socket => $socket };
    }
    close_all($stdout, $stderr, $commands);
}

# The first process of a pid namespace has ended when all others in there have.
sub tell_end {
    my ($descriptor) = @_;
    my $one = delete $inner{$descriptor};
    waitpid $one->{pid}, 0;
    write_to($one->{socket}, $? & 127 ? "signal " . ($? & 127) . "\n" : "exit " . ($? >> 8) . "\n");
    close_all($descriptor, $one->{socket});
}

sub write_to {
    my ($descriptor, $text) = @_;
    # Whoever does not listen any more need not know.
    syscall($number{write}, $descriptor, $text, length $text);
}

sub close_all {
    syscall($number{close}, $_) for @_;
}

# What an inner sandbox's first process does, as calls.
sub places {
    my $private = "size=$tmp_bytes";
    my $closed_ones = NOSUID | NODEV | NOEXEC;
    return (
        [ mount => 'proc', '/proc', 'proc', $closed_ones, '' ],
        map({ ([ mount => $_, $_, '', BIND, '' ], [ mount => '', $_, '', REMOUNT | READ_ONLY | $closed_ones, '' ]) }
            grep { -e } map { "/proc/$_" } split / /, $closed),
        # Bound anew each time: a reset has put another directory there. Then the directory of all slots goes.
        [ mount => "/tmp/$slot", '/workspace', '', BIND, '' ],
        [ umount2 => '/tmp', DETACH ],
        [ mount => 'tmpfs', '/tmp', 'tmpfs', NOSUID | NODEV, $private ],
        [ mount => 'tmpfs', '/dev/shm', 'tmpfs', NOSUID | NODEV, $private ],
        [ mount => 'devpts', '/dev/pts', 'devpts', NOSUID | NOEXEC, 'newinstance,ptmxmode=0666,mode=620' ],
    );
}

# What is opened in there is 4: the first that is free.
sub loopback {
    return ([ socket => 2, 2, 0 ], [ ioctl => 4, SIOCSIFFLAGS, pack 'a16 s x22', 'lo', UP ], [ close => 4 ]);
}

sub writing {
    my ($path, $text) = @_;
    return ([ openat => 0, $path, WRITE_CLOEXEC, 0 ], [ write => 4, $text, length $text ], [ close => 4 ]);
}

sub capabilities {
    my $count = 0;
    $count++ while syscall($number{prctl}, IN_BOUNDING_SET, $count, 0, 0, 0) != -1;
    die "bounding set: $!\n" if $count == 0;
    return 0 .. $count - 1;
}

# From here on in the first process of an inner sandbox.
sub become_first {
    my ($stdout, $stderr, $commands) = @_;
    syscall($number{dup3}, $stdout, 1, 0) != -1 or die "stdout: $!\n";
    syscall($number{dup3}, $stderr, 2, 0) != -1 or die "stderr: $!\n";
    syscall($number{dup3}, $commands, CONTROL, 0) != -1 or die "commands: $!\n";
    syscall($_->[0], @{ $_->[1] }) != -1 or fail($_) for @becoming_first;
    my $shell = syscall($making_shell->[0], @{ $making_shell->[1] });
    syscall($becoming_shell->[0], @{ $becoming_shell->[1] }) != -1 or fail($becoming_shell) if $shell == 0;
    $shell != -1 or fail($making_shell);
    # Nothing of the call's is held in here: what it closes is closed.
    syscall($number{close_range}, 0, ALL, 0);
    1 while wait() != $shell;
    syscall($number{exit_group}, $? & 127 ? 128 + ($? & 127) : $? >> 8);
}

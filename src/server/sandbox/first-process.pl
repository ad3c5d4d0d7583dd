# What the first process of an inner sandbox does (holder.pl makes it), before a call and for it. It stays between the
# kernel and what the call starts, and reads no byte that a command writes.
#
# No module is loaded but strict, and what can be prepared is, once, in the holder: each page of memory that the first
# process of an inner sandbox writes to is copied for it, and those copies were most of what it cost.
use strict;
# perl ignores it, and so would all that is started in here.
$SIG{FPE} = 'DEFAULT';
# Library calls are bound once, not again in each sandbox, and no files of a locale are mapped: for this program only.
delete @ENV{qw(LD_BIND_NOW LC_ALL)};

my ($slot, $tmp_bytes, $closed, $limits, $script, %number) = @ARGV;
$_ += 0 for values %number;

sub COMMANDS() { 3 }
sub FILTER() { 4 }
# CLONE_NEWUSER.
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
    # What a tool call does must not cost the server its life when memory runs out.
    writing('/proc/self/oom_score_adj', '1000'),
    # Nobody may write to this memory. The shell gets its own.
    [ prctl => SET_DUMPABLE, 0, 0, 0, 0 ],
    (map { [ prctl => DROP_FROM_BOUNDING_SET, $_, 0, 0, 0 ] } capabilities()),
    [ capset => pack('L l', CAPABILITIES, 0), "\0" x 24 ],
    ($filter eq '' ? () : [ prctl => SET_SECCOMP, FILTER_MODE, $filter_program, 0, 0 ]),
    [ dup3 => 2, 8, 0 ],
);

# With what a shell would add for a program.
my %variables = (%ENV, PWD => '/workspace', SHLVL => 0);
my @variables = map { "$_=$variables{$_}" } sort keys %variables;
my $environment = pointers(@variables);
my ($bash) = grep { -x } map { "$_/bash" } split /:/, $ENV{PATH};
$bash //= 'bash';
# With an argument, which it drops, it does not tell that it is ready: its first process has.
my @shell = ('bash', '-c', $script, 'bash', 'later');
my $becoming_shell = prepared(execve => $bash, pointers(@shell[ 0 .. 2 ]), $environment);
my $becoming_shell_later = prepared(execve => $bash, pointers(@shell), $environment);
my $making_child = prepared(clone => NEW_SHELL, 0, 0, 0, 0);
my @limiting = map { /(.*):(.*)/; prepared(setrlimit => $1 + 0, pack 'Q2', $2, $2) } split / /, $limits;

# Becomes the first process of an inner sandbox, of which these are stdout, stderr and where the command comes from.
sub become_first {
    my ($stdout, $stderr, $commands, $shell_later) = @_;
    syscall($number{dup3}, $stdout, 1, 0) != -1 or die "stdout: $!\n";
    syscall($number{dup3}, $stderr, 2, 0) != -1 or die "stderr: $!\n";
    syscall($number{dup3}, $commands, COMMANDS, 0) != -1 or die "commands: $!\n";
    syscall($_->[0], @{ $_->[1] }) != -1 or fail($_) for @becoming_first;
    my @program = $shell_later ? take_program() : ();
    my $child = syscall($making_child->[0], @{ $making_child->[1] });
    if ($child == 0) {
        become_program(@program) if @program;
        my $becoming = $shell_later ? $becoming_shell_later : $becoming_shell;
        syscall($becoming->[0], @{ $becoming->[1] }) != -1 or fail($becoming);
    }
    $child != -1 or fail($making_child);
    # Nothing of the call's is held in here: what it closes is closed.
    syscall($number{close_range}, 0, ALL, 0);
    1 while wait() != $child;
    syscall($number{exit_group}, $? & 127 ? 128 + ($? & 127) : $? >> 8);
}

# A command and the words of its program; or nothing, when a shell is to take it.
sub take_program {
    write_to(1, 'R');
    my $head = '';
    $head .= read_command(1) until $head =~ /\n/;
    return $head =~ /^\d/ ? split /\0/, read_command($head), -1 : ();
}

# Nothing of half a command is run.
sub read_command {
    my ($length) = @_;
    my ($read, $buffer) = ('', "\0" x $length);
    while (length $read < $length) {
        my $count = syscall($number{read}, COMMANDS, $buffer, $length - length $read);
        $count > 0 or syscall($number{exit_group}, 125);
        $read .= substr $buffer, 0, $count;
    }
    return $read;
}

# As a shell does it; and where that does not work, a shell says why, or finds another way.
sub become_program {
    my ($command, @words) = @_;
    syscall($_->[0], @{ $_->[1] }) != -1 or fail($_) for @limiting;
    write_to(1, 'T');
    syscall($number{close_range}, 3, ALL, 0);
    my $words = pointers(@words);
    syscall($number{execve}, $_, $words, $environment) for map { "$_/$words[0]" } split /:/, $ENV{PATH};
    my @line = ('bash', '-c', $command);
    syscall($number{execve}, $bash, pointers(@line), $environment);
    die "execve: $!\n";
}

# As the kernel takes lists of words; these must live on.
sub pointers {
    return pack 'P' x @_ . ' Q', @_, 0;
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

sub write_to {
    my ($descriptor, $text) = @_;
    # Whoever does not listen any more need not know.
    syscall($number{write}, $descriptor, $text, length $text);
}

sub close_all {
    syscall($number{close}, $_) for @_;
}

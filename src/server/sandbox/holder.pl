# The first process of a slot's outer sandbox. It makes inner sandboxes: each has all its namespaces to itself, runs
# one command, and is thrown away whole. It starts nothing but them, and reads no byte that a command writes.
#
# On CONTROL comes one byte for each inner sandbox, with four descriptors: its stdout, its stderr, where its command comes
# from, and a socket. On the socket is told how it ended, when its processes are all dead; whoever closes the other end
# kills it. No module is loaded: each start would pay for it.
use strict;
use warnings;

my ($slot, $tmp_bytes, $closed, $script, %number) = @ARGV;
my @closed = grep { -e } map { "/proc/$_" } split / /, $closed;
use constant {
    CONTROL => 3, FILTER => 4,
    # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET; a descriptor of the process; SIGCHLD. And CLONE_NEWUSER.
    NEW => 0x6e02_0000 | 0x1000 | 17, NEW_USERS => 0x1000_0000,
    READ_ONLY => 1, NOSUID => 2, NODEV => 4, NOEXEC => 8, REMOUNT => 32 | 4096, BIND => 4096 | 16384, DETACH => 2,
    CMSG_CLOEXEC => 0x4000_0000, SIOCSIFFLAGS => 0x8914, UP => 1,
    INTERRUPTED => 4, SET_DUMPABLE => 4, SET_SECCOMP => 22, FILTER_MODE => 2, DROP_FROM_BOUNDING_SET => 24,
    CAPABILITIES => 0x2008_0522, INVALID => 22,
};

sub call {
    my ($name, @arguments) = @_;
    syscall($number{$name}, @arguments) != -1 or die "$name: $!\n";
}

my $filter = '';
if (open(my $file, '<&=', FILTER)) {
    binmode $file;
    local $/;
    $filter = <$file> // '';
    close $file;
}

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
    call recvmsg => CONTROL, $message, CMSG_CLOEXEC;
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

# From here on in the first process of an inner sandbox.
sub become_first {
    my ($stdout, $stderr, $commands) = @_;
    call dup3 => $stdout, 1, 0;
    call dup3 => $stderr, 2, 0;
    call dup3 => $commands, CONTROL, 0;
    call close_range => 4, 0xffff_ffff, 0;
    # A session of its own, so that a signal to the process group stays in here.
    call 'setsid';
    $0 = 'sandbox';
    make_places();
    bring_up_loopback();
    give_up_rights();
    run_shell();
}

sub make_places {
    my $private = "size=$tmp_bytes,mode=1777";
    place('proc', '/proc', NOSUID | NODEV | NOEXEC, '');
    for my $path (@closed) {
        place($path, $path, BIND, '');
        place('none', $path, REMOUNT | READ_ONLY | NOSUID | NODEV | NOEXEC, '');
    }
    # Bound anew each time: a reset has put another directory there. Then the directory of all slots goes.
    place("/tmp/$slot", '/workspace', BIND, '');
    call umount2 => '/tmp', DETACH;
    place('tmpfs', '/tmp', NOSUID | NODEV, $private);
    place('tmpfs', '/dev/shm', NOSUID | NODEV, $private);
    place('devpts', '/dev/pts', NOSUID | NOEXEC, 'newinstance,ptmxmode=0666,mode=620');
    chdir '/workspace' or die "/workspace: $!\n";
}

sub place {
    my ($what, $where, $flags, $options) = @_;
    syscall($number{mount}, $what, $where, my $kind = $what, $flags, $options) == 0 or die "$where: $!\n";
}

sub bring_up_loopback {
    my $request = pack 'a16 s x22', 'lo', UP;
    socket(my $socket, 2, 2, 0) or die "socket: $!\n";
    ioctl($socket, SIOCSIFFLAGS, $request) or die "lo: $!\n";
    close $socket or die "lo: $!\n";
}

# After this the mounts belong to users that nobody in here can become.
sub give_up_rights {
    call unshare => NEW_USERS;
    # The outer sandbox has denied setgroups, also in what is below it.
    put('/proc/self/uid_map', '1000 0 1');
    put('/proc/self/gid_map', '1000 0 1');
    my $capability = 0;
    $capability++ while syscall($number{prctl}, DROP_FROM_BOUNDING_SET, $capability, 0, 0, 0) == 0;
    die "bounding set: $!\n" if $! != INVALID || $capability == 0;
    call capset => pack('L l', CAPABILITIES, 0), "\0" x 24;
    return if $filter eq '';
    call prctl => SET_SECCOMP, FILTER_MODE, pack('S x6 P', length($filter) / 8, $filter), 0, 0;
}

sub put {
    my ($path, $text) = @_;
    open(my $file, '>', $path) or die "$path: $!\n";
    defined syswrite($file, $text) or die "$path: $!\n";
}

sub run_shell {
    my $shell = fork() // die "fork: $!\n";
    if ($shell == 0) {
        call dup3 => 2, 8, 0;
        exec { 'bash' } 'bash', '-c', $script or die "bash: $!\n";
    }
    # Nothing of the call's is held in here: what it closes is closed. And nobody may write to this memory.
    close_all(0 .. 3);
    call prctl => SET_DUMPABLE, 0, 0, 0, 0;
    1 while wait() != $shell;
    syscall($number{exit_group}, $? & 127 ? 128 + ($? & 127) : $? >> 8);
}

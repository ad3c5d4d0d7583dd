# The first process of a slot's outer sandbox, after first-process.pl. It makes inner sandboxes: each has all its namespaces
# to itself, runs one command, and is thrown away whole. It starts nothing but them, and reads no byte that a command writes.
#
# On CONTROL comes one byte for each inner sandbox (whether its shell waits for the command, or its first process does and
# starts a shell when one is needed), with four descriptors: its stdout, its stderr, where its command comes from, and a
# socket. On the socket is told how it ended, when its processes are all dead; whoever closes the other end kills it.
sub CONTROL() { 3 }
sub SHELL_LATER() { 2 }
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET; a descriptor of the process; SIGCHLD.
sub NEW() { 0x6e02_0000 | 0x1000 | 17 }
sub INTERRUPTED() { 4 }

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
    my $kind = vec($byte, 0, 8);
    exit 0 if $kind == 0;
    my ($length, undef, undef, @received) = unpack 'Q l l l4', $descriptors;
    die "four descriptors were to come\n" if $length != 32;
    return ($kind == SHELL_LATER, @received);
}

sub make {
    my ($shell_later, $stdout, $stderr, $commands, $socket) = @_;
    my $descriptor = pack 'l', -1;
    my $pid = syscall($number{clone}, NEW, 0, $descriptor, 0, 0);
    if ($pid == 0) {
        eval { become_first($stdout, $stderr, $commands, $shell_later) };
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

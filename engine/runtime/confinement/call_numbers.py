"""Numbers of the system calls that confined processes do not need, by architecture. Pure.

A list of what is refused, and not of what is allowed: C libraries, allocators and FFmpeg change what they call with
every release, and a call that nobody foresaw would end a patrol. Files are Landlock's part; here are ways around it.
"""

X86_64 = {
    # programs and processes
    "fork": 57, "vfork": 58, "clone": 56, "clone3": 435, "execve": 59, "execveat": 322, "kill": 62, "tkill": 200,
    "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "ptrace": 101, "process_vm_readv": 310,
    "process_vm_writev": 311, "process_madvise": 440, "kcmp": 312, "pidfd_open": 434, "pidfd_getfd": 438,
    "pidfd_send_signal": 424, "prlimit64": 302, "personality": 135, "modify_ldt": 154,
    # calls that do other calls, unseen by a filter
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    # changing files
    "open": 2, "openat": 257, "openat2": 437, "creat": 85, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "rename": 82, "renameat": 264, "renameat2": 316, "unlink": 87, "unlinkat": 263, "mkdir": 83, "mkdirat": 258,
    "rmdir": 84, "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "mknod": 133, "mknodat": 259,
    "truncate": 76, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93,
    "lchown": 94, "fchownat": 260, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
    "lremovexattr": 198, "fremovexattr": 199, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280,
    # sockets, terminals, memory shared by name
    "socket": 41, "ioctl": 16, "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "mq_open": 240,
    # the system
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
    "reboot": 169, "swapon": 167, "swapoff": 168, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
    "fanotify_init": 300, "add_key": 248, "request_key": 249, "keyctl": 250, "acct": 163, "quotactl": 179,
    "syslog": 103, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305,
    "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "vhangup": 153,
    # users
    "setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116, "setresuid": 117,
    "setresgid": 119, "setfsuid": 122, "setfsgid": 123, "capset": 126,
}  # fmt: skip

AARCH64 = {
    # programs and processes
    "clone": 220, "clone3": 435, "execve": 221, "execveat": 281, "kill": 129, "tkill": 130, "tgkill": 131,
    "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "ptrace": 117, "process_vm_readv": 270,
    "process_vm_writev": 271, "process_madvise": 440, "kcmp": 272, "pidfd_open": 434, "pidfd_getfd": 438,
    "pidfd_send_signal": 424, "prlimit64": 261, "personality": 92,
    # calls that do other calls, unseen by a filter
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    # changing files
    "openat": 56, "openat2": 437, "name_to_handle_at": 264, "open_by_handle_at": 265, "renameat": 38,
    "renameat2": 276, "unlinkat": 35, "mkdirat": 34, "linkat": 37, "symlinkat": 36, "mknodat": 33, "truncate": 45,
    "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchown": 55, "fchownat": 54, "setxattr": 5, "lsetxattr": 6,
    "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "utimensat": 88,
    # sockets, terminals, memory shared by name
    "socket": 198, "ioctl": 29, "shmget": 194, "shmat": 196, "semget": 190, "msgget": 186, "mq_open": 180,
    # the system
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294,
    "reboot": 142, "swapon": 224, "swapoff": 225, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
    "fanotify_init": 262, "add_key": 217, "request_key": 218, "keyctl": 219, "acct": 89, "quotactl": 60,
    "syslog": 116, "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266,
    "sethostname": 161, "setdomainname": 162, "vhangup": 58,
    # users
    "setuid": 146, "setgid": 144, "setreuid": 145, "setregid": 143, "setgroups": 159, "setresuid": 147,
    "setresgid": 149, "setfsuid": 151, "setfsgid": 152, "capset": 91,
}  # fmt: skip

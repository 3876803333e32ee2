"""Jobs that QEMU does on the disks of a running guest: pulling, committing, copying.

    jobs        what a job is, and its states: pure
    chains      what becomes of a disk's chain of images, in what runs and in what is defined: pure
    lookup      which image of a chain somebody means
    traces      how the status file tells of jobs: pure
    starting    what all beginnings share; `pulling`, `committing`, `copying` begin one, `target` makes a copy's image
    ending      aborting, and pivoting to the other image
    settling    a job has changed or ended: what follows
    reconciling what is known of jobs and what QEMU has: for the next daemon, and when QEMU was silent
    orphans     the guest has let go of a disk on which a job works
    figures     how far a job is

Rules:

1. The status file tells of a job before QEMU has it, and until everything that follows from its end is done. So the
   next daemon finds every job that a former one began, and every step after its end can be taken twice.
2. What became of a job is what QEMU says: the job's error, and the image that the drive is on. An order that was given
   (`pivoting`, `aborting`) is written down first.
3. QEMU keeps a job that has ended until it is dismissed. That is done once everything that follows is written down.
4. A disk has at most one job. Whoever changes disks otherwise asks `jobs.refuse` first.

Source: QEMU's `qapi/job.json` and `block-core.json`; https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainBlockCopy
and its neighbours.
"""

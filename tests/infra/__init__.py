"""The playbooks on real hosts: three Debian systems booted in systemd-nspawn, reached over ssh.

The hosts have their own kernel name spaces, systemd, sshd and two networks (the rings of corosync),
but neither PVE's packages nor a kernel of their own. What calls PVE's commands runs against
`fake_pve`. A host is thrown away with the fixture; the base tree is kept in a cache.
"""

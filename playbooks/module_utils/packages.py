"""What dpkg says of packages: it is asked, not their programs, and without python3-apt."""

from ansible.module_utils.basic import AnsibleModule


def shown(module: AnsibleModule, names: list[str]) -> str:
    """A line `NAME STATE` for each that dpkg knows; names may be patterns. Fails the module where
    dpkg gives no answer."""
    shape = "${binary:Package} ${db:Status-Status}\n"
    rc, out, err = module.run_command(["dpkg-query", "--show", f"--showformat={shape}", *names])
    if rc not in {0, 1}:  # 1: some are unknown
        module.fail_json(msg=f"dpkg-query: {err.strip() or out.strip()}", rc=rc)
    return str(out)


def installed(said: str) -> list[str]:
    """Those of such lines that are installed, without the architecture that a name may carry."""
    states = (line.split() for line in said.splitlines())
    return [words[0].partition(":")[0] for words in states if words[1:] == ["installed"]]

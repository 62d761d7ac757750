"""Snapshots of OpenStack and Proxmox: what becomes of them, what is missing, and back."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from three_pms import cluster

from cpsched import InputError
from cpsched.instances import dumps, parse, read_all, read_folder
from cpsched.vms.instance import Group, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cpsched.vms.instance import VmCluster


def server(number: int, host: str, **more: Any) -> dict[str, Any]:
    """A server as GET /servers/detail has it, in part."""
    flavor = {
        "original_name": "m1.large",
        "vcpus": 4,
        "ram": 8192,
        "disk": 40,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": more.pop("extra_specs", {}),
    }
    return {
        "id": f"uuid-{number}",
        "name": "web",
        "status": "ACTIVE",
        "flavor": flavor,
        "image": {"id": "i"},
        "locked": False,
        "OS-EXT-SRV-ATTR:host": host,
        "OS-EXT-STS:task_state": None,
        "OS-EXT-AZ:availability_zone": "nova",
        "pinned_availability_zone": None,
        **more,
    }


def inventory(vcpus: int = 32, ratio: float = 4.0, **more: Any) -> dict[str, Any]:
    return {
        "VCPU": {"total": vcpus, "reserved": 2, "allocation_ratio": ratio},
        "MEMORY_MB": {"total": 65536, "reserved": 512, "allocation_ratio": 1.0},
        **more,
    }


def cloud() -> dict[str, Any]:
    """Three hosts, four servers, answers of the API."""
    return {
        "hypervisors": [
            {
                "id": f"hv-{k}",
                "hypervisor_hostname": f"{host}.example.org",
                "state": "up",
                "status": "enabled",
                "service": {"id": "s", "host": host, "disabled_reason": None},
            }
            for k, host in enumerate(("c1", "c2", "c3"))
        ],
        "inventories": {host: inventory() for host in ("c1", "c2.example.org", "hv-2")},
        "servers": [server(k, f"c{1 + k % 2}") for k in range(4)],
        "server_groups": [],
    }


def made(content: Any, name: str = "cloud.json") -> VmCluster:
    return parse(json.dumps(content).encode(), name)  # type: ignore[no-any-return]


def changed(*path: Any, to: Any, base: Callable[[], dict[str, Any]] = cloud) -> dict[str, Any]:
    """A snapshot with another value at *path*; to: None takes the key away."""
    content = copy.deepcopy(base())
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return content


def test_hosts_and_servers_of_openstack() -> None:
    one = made(cloud())
    assert one.name == "cloud"
    assert one.pms == ("c1", "c2", "c3")
    assert one.resources == ("cpu", "memory")
    assert one.capacity.tolist() == [[120_000, 65_024]] * 3, "(32 - 2) * 4 cores"
    assert one.vms == ("uuid-0", "uuid-1", "uuid-2", "uuid-3")
    assert one.pm.tolist() == [0, 1, 0, 1]
    assert one.demand.tolist() == [[4000, 8192]] * 4
    assert one.flavors == ("m1.large",)
    assert one.active.all()
    assert not one.closed.any()
    assert dumps(one, "openstack") == dumps(made(json.loads(dumps(one, "openstack"))), "openstack")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"locked": True}, "locked"),
        ({"status": "SHUTOFF"}, "status SHUTOFF"),
        ({"status": "PAUSED"}, ""),
        ({"OS-EXT-STS:task_state": "migrating"}, "task migrating"),
        ({"extra_specs": {"pci_passthrough:alias": "gpu:1"}}, "pci_passthrough:alias"),
        ({"extra_specs": {"hw:cpu_policy": "shared"}}, ""),
    ],
)
def test_servers_that_may_not_move(more: dict[str, Any], reason: str) -> None:
    one = made(changed("servers", 1, to=server(1, "c2", **more)))
    assert one.pinned == ("", reason, "", "")
    if "hw:cpu_policy" not in more.get("extra_specs", {}) and more.get("status") != "PAUSED":
        assert made(json.loads(dumps(one, "openstack"))) == one


def test_closed_hosts_and_hosts_in_maintenance() -> None:
    down = made(changed("hypervisors", 2, "state", to="down"))
    assert down.closed.tolist() == [False, False, True]
    assert down.active.tolist() == [True, True, False]
    assert not down.evacuate.any()
    content = changed("hypervisors", 1, "status", to="disabled")
    content["hypervisors"][1]["service"]["disabled_reason"] = "Maintenance: new fan"
    kept = made(content)
    assert kept.evacuate.tolist() == [False, True, False]
    for one in (down, kept):
        assert made(json.loads(dumps(one, "openstack"))) == one
    content["servers"][1]["locked"] = True
    with pytest.raises(InputError, match=r"VM uuid-1 is pinned \(locked\) on PM c2, which is to"):
        made(content)


def test_server_groups() -> None:
    content = changed(
        "server_groups",
        to=[
            {
                "id": f"g{k}",
                "name": name,
                "policy": policy,
                "rules": rules,
                "members": ["uuid-0", "uuid-3", "gone"],
            }
            for k, (name, policy, rules) in enumerate(
                (
                    ("web", "anti-affinity", {"max_server_per_host": 2}),
                    ("soft", "soft-anti-affinity", {}),
                    ("web", "anti-affinity", {}),
                )
            )
        ],
    )
    one = made(content)
    assert one.groups == (
        Group("web", "anti-affinity", "pm", [0, 3], 2),
        Group("web (g2)", "anti-affinity", "pm", [0, 3], 1),
    )
    assert made(json.loads(dumps(one, "openstack"))) == one


def test_availability_zones() -> None:
    services = [
        {"ID": 1, "Binary": "nova-compute", "Host": host, "Zone": zone, "State": "up"}
        for host, zone in (("c1", "east"), ("c2", "east"), ("c3", "west"))
    ]
    content = {**cloud(), "services": services}
    one = made(content)
    assert one.allowed.tolist() == [[True, True, True]], "from 2.96 on: pinned to none"
    content["servers"][0]["pinned_availability_zone"] = "east"
    for at in (1, 2):  # of before 2.96: it is not known, so they stay
        del content["servers"][at]["pinned_availability_zone"]
    one = made(content)
    assert one.allowed.tolist() == [[True, True, False], [True, True, True]]
    assert one.profile.tolist() == [0, 0, 0, 1]
    assert made(json.loads(dumps(one, "openstack"))) == one
    del services[2]["Zone"]
    with pytest.raises(InputError, match=r"zone of host c3 is not known; .* compute service list"):
        made(content)


def test_dedicated_cores_and_disks() -> None:
    content = changed(
        "inventories",
        to={
            host: inventory(
                PCPU={"total": 8, "reserved": 0, "allocation_ratio": 1.0},
                DISK_GB={"total": 500, "reserved": 0, "allocation_ratio": 1.0},
            )
            for host in ("c1", "c2", "c3")
        },
    )
    content["servers"][0]["flavor"]["extra_specs"] = {"hw:cpu_policy": "dedicated"}
    content["servers"][1]["image"] = ""  # booted from a volume
    one = made(content)
    assert one.resources == ("cpu", "memory", "pcpu", "disk")
    assert one.demand.tolist()[:3] == [[0, 8192, 4, 40], [4000, 8192, 0, 0], [4000, 8192, 0, 40]]
    assert made(json.loads(dumps(one, "openstack"))) == one


def lists() -> dict[str, Any]:
    """The same cloud as the command line client prints it, one file each."""
    hypervisors = [
        {
            "ID": f"hv-{k}",
            "Hypervisor Hostname": f"{host}.example.org",
            "Hypervisor Type": "QEMU",
            "Host IP": "10.0.0.1",
            "State": "up",
            "vCPUs Used": 8,
            "vCPUs": 32,
            "Memory MB Used": 17_000,
            "Memory MB": 65_536,
        }
        for k, host in enumerate(("c1", "c2", "c3"))
    ]
    servers = [
        {
            "ID": f"uuid-{k}",
            "Name": "web",
            "Status": "ACTIVE",
            "Task State": None,
            "Power State": 1,
            "Networks": {"private": ["10.0.0.2"]},
            "Image Name": "ubuntu",
            "Image ID": "i",
            "Flavor": "m1.large",
            "Availability Zone": "nova",
            "Host": f"c{1 + k % 2}",
            "Properties": {},
        }
        for k in range(4)
    ]
    flavors = [
        {
            "ID": "42",
            "Name": "m1.large",
            "RAM": 8192,
            "Disk": 40,
            "Ephemeral": 0,
            "VCPUs": 4,
            "Is Public": True,
            "Swap": "",
            "RXTX Factor": 1.0,
            "Properties": {"hw:mem_page_size": "large"},
        }
    ]
    services = [
        {"ID": k, "Binary": "nova-compute", "Host": host, "Zone": "nova", "State": "up"}
        for k, host in enumerate(("c1", "c2", "c3"))
    ]
    return {
        "hypervisors": hypervisors,
        "servers": servers,
        "flavors": flavors,
        "services": services,
        "groups": [],
    }


def folder_of(path: Path, tables: dict[str, Any]) -> Path:
    folder = path / "monday"
    folder.mkdir()
    for name, table in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(table))
    return folder


def test_a_folder_of_lists_without_placement(tmp_path: Path) -> None:
    (one,) = read_folder(folder_of(tmp_path, lists()))
    assert one.name == "monday"
    assert one.pms == ("c1", "c2", "c3")
    assert one.capacity[:, 0].tolist() == [32_000] * 3, "no ratio is known"
    # 17,000 MiB are in use, 16,384 of them by two servers; on c3 all of it by something else.
    assert one.capacity[:, 1].tolist() == [65_536 - 616, 65_536 - 616, 65_536 - 17_000]
    assert one.flavors == ("m1.large",)
    assert one.allowed.tolist() == [[True, True, True]]


def test_inventories_in_files_of_their_own(tmp_path: Path) -> None:
    tables = lists()
    for host, ratio in (("c1.example.org", 2.0), ("hv-1", 4.0)):
        tables[f"inventory-{host}"] = [
            {"resource_class": key, **row} for key, row in inventory(ratio=ratio).items()
        ]
    tables["inventory-hv-2"] = {
        "inventories": inventory(ratio=1.0),
        "resource_provider_generation": 7,
    }
    folder = folder_of(tmp_path, tables)
    (one,) = read_folder(folder)
    assert one.capacity[:, 0].tolist() == [60_000, 120_000, 30_000]
    (folder / "inventory-c9.json").write_text(json.dumps(tables["inventory-hv-1"]))
    with pytest.raises(InputError, match=r"inventory-c9.json:\$\[0\]: the inventory of 'c9' bel"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        ("hypervisors", "there are no hypervisors; add the output of: openstack --os-compute-api"),
        ("servers", "there are no servers on hosts; add the output of: openstack server list"),
        ("flavors", r"the flavor 'm1.large' of server uuid-0 is not known; .* flavor list --long"),
    ],
)
def test_a_missing_table_is_named_by_its_command(tmp_path: Path, drop: str, words: str) -> None:
    folder = folder_of(tmp_path, lists())
    (folder / f"{drop}.json").unlink()
    with pytest.raises(InputError, match=words):
        read_folder(folder)


def test_a_host_without_a_zone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, lists())
    (folder / "services.json").unlink()
    with pytest.raises(InputError, match=r"zone of host c3.example.org is not known; .* service"):
        read_folder(folder)


def column(table: str, name: str) -> Callable[[dict[str, Any]], None]:
    """Take a column away."""

    def without(tables: dict[str, Any]) -> None:
        for row in tables[table]:
            del row[name]

    return without


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            column("servers", "Host"),
            r"the host of server uuid-0 is missing; an administrator gets",
        ),
        (column("flavors", "RAM"), r"columns of no known table; known are hypervisors with"),
        (column("flavors", "Ephemeral"), r"'Ephemeral' is missing; .* openstack flavor list"),
        (
            column("hypervisors", "vCPUs"),
            r"capacity of host c1 is missing; .*inventory",
        ),
        (column("hypervisors", "Memory MB"), r"'Memory MB' is missing; .* hypervisor list --long"),
    ],
)
def test_a_missing_column_is_named_by_its_command(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], words: str
) -> None:
    tables = lists()
    spoil(tables)
    folder = folder_of(tmp_path, tables)
    with pytest.raises(InputError, match=words) as caught:
        read_folder(folder, "openstack")
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            changed("servers", 0, "OS-EXT-SRV-ATTR:host", to="c9"),
            r"cloud.json:\$.servers\[0\]: server uuid-0 is on the host 'c9', which is not among",
        ),
        (
            changed("servers", 0, "flavor", "ram", to="much"),
            r"\$.servers\[0\].flavor: ram must be a whole number .*, not the text 'much'",
        ),
        (
            changed("inventories", "c1", "VCPU", "allocation_ratio", to=0),
            r"\$.inventories.c1.VCPU: allocation_ratio must be a positive number",
        ),
        (
            changed("inventories", "c1", "MEMORY_MB", to=None),
            r"the inventory of host c1 has no MEMORY_MB; .* resource provider inventory list",
        ),
        (changed("inventories", "hv-2", to=None), r"capacity of host c3 is missing"),
        ({**cloud(), "stacks": []}, r"\$: unknown key 'stacks'; allowed are hypervisors"),
        ({**cloud(), "servers": 3}, r"\$.servers: expected a list, not the number 3"),
        (
            {**cloud(), "server_groups": [{"id": "g", "name": "g", "members": []}]},
            r"server_groups\[0\]: the policy is missing; .* openstack server group list --long",
        ),
        (
            changed("servers", 1, "id", to="uuid-0"),
            "uuid-0 occurs twice among the vms",
        ),
    ],
)
def test_malformed_snapshots_of_openstack(content: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        made(content)


def test_servers_on_no_host_are_left_out() -> None:
    content = cloud()
    content["servers"].append(
        server(9, "", status="SHELVED_OFFLOADED", **{"OS-EXT-AZ:availability_zone": ""})
    )
    assert made(content) == made(cloud())


def guest(number: int, node: str, **more: Any) -> dict[str, Any]:
    kind = more.pop("type", "qemu")
    return {
        "id": f"{kind}/{number}",
        "type": kind,
        "vmid": number,
        "name": "web",
        "node": node,
        "status": "running",
        "template": 0,
        "cpu": 0.02,
        "maxcpu": 4,
        "mem": 2**31,
        "maxmem": 8 * 2**30,
        **more,
    }


def pve() -> dict[str, Any]:
    """Three nodes and four VMs."""
    nodes = [
        {
            "id": f"node/n{k}",
            "type": "node",
            "node": f"n{k}",
            "status": "online",
            "maxcpu": 32,
            "maxmem": 64 * 2**30,
        }
        for k in range(3)
    ]
    guests = [guest(100 + k, f"n{k % 2}") for k in range(4)]
    storage = {"id": "storage/n0/local", "type": "storage", "node": "n0", "status": "available"}
    return {"resources": [*nodes, storage, *guests], "rules": []}


def with_guest(number: int, **more: Any) -> dict[str, Any]:
    content = pve()
    content["resources"][4 + number].update(more)
    return content


def test_nodes_and_guests_of_proxmox() -> None:
    one = made({**pve(), "cpu_ratio": 3, "reserve_mib": 1024}, "pve.json")
    assert one.pms == ("n0", "n1", "n2")
    assert one.capacity.tolist() == [[96_000, 64_512]] * 3
    assert one.vms == ("vm:100", "vm:101", "vm:102", "vm:103")
    assert one.demand.tolist() == [[4000, 8192]] * 4
    assert one.flavors == ("4c-8192m",)
    assert one.pm.tolist() == [0, 1, 0, 1]
    assert made(json.loads(dumps(one, "proxmox")), "pve.json") == one


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"lock": "backup"}, "lock backup"),
        ({"status": "paused"}, "status paused"),
        ({"tags": "prod;plb_ignore_db"}, "plb_ignore_db"),
        ({"type": "lxc"}, "a container: it restarts when it migrates"),
    ],
)
def test_guests_that_may_not_move(more: dict[str, Any], reason: str) -> None:
    one = made(with_guest(0, **more))
    assert one.pinned == (reason, "", "", "")
    assert one.vms[0] == ("ct:100" if "type" in more else "vm:100")
    assert made(json.loads(dumps(one, "proxmox"))) == one


@pytest.mark.parametrize("more", [{"status": "stopped"}, {"template": 1}])
def test_templates_and_stopped_guests_are_left_out(more: dict[str, Any]) -> None:
    assert made(with_guest(0, **more)).vms == ("vm:101", "vm:102", "vm:103")


def test_nodes_that_are_offline_or_maintained() -> None:
    content = pve()
    content["resources"][2] = {"id": "node/n2", "type": "node", "node": "n2", "status": "offline"}
    one = made(content)
    assert one.closed.tolist() == [False, False, True]
    assert one.active.tolist() == [True, True, False]
    status = [
        {"id": "lrm:n1", "type": "lrm", "node": "n1", "status": "n1 (maintenance mode, ...)"},
        {"id": "quorum", "type": "quorum", "node": "n0", "status": "OK"},
    ]
    kept = made({**pve(), "status": status})
    assert kept.evacuate.tolist() == [False, True, False]
    for each in (one, kept):
        assert made(json.loads(dumps(each, "proxmox"))) == each


def test_rules_and_tags() -> None:
    content = with_guest(0, tags="plb_affinity_db;plb_pin_n0;plb_pin_n2")
    content["resources"][5]["tags"] = "plb_affinity_db plb_anti_affinity_web"
    content["rules"] = [
        {
            "rule": "apart",
            "type": "resource-affinity",
            "affinity": "negative",
            "resources": "vm:102,vm:103,vm:999",
        },
        {
            "rule": "off",
            "type": "resource-affinity",
            "affinity": "negative",
            "resources": "vm:100,vm:101",
            "disable": 1,
        },
        {
            "rule": "home",
            "type": "node-affinity",
            "nodes": "n0:1,n1:2,n2:2",
            "resources": "vm:103",
        },
    ]
    one = made(content)
    assert one.groups == (
        Group("plb_affinity_db", "affinity", "pm", [0, 1]),
        Group("plb_anti_affinity_web", "anti-affinity", "pm", [1]),
        Group("apart", "anti-affinity", "pm", [2, 3]),
    )
    allowed = one.allowed[one.profile].tolist()
    assert allowed == [[True, False, True], [True] * 3, [True] * 3, [False, True, True]]
    assert made(json.loads(dumps(one, "proxmox"))) == one


def test_a_node_affinity_whose_nodes_are_all_gone() -> None:
    content = pve()
    content["resources"][2]["status"] = "offline"
    rule = {"rule": "r", "type": "node-affinity", "nodes": "n2", "resources": "vm:100"}
    assert made({**content, "rules": [rule]}).allowed.all(), "a wish"
    strict = made({**content, "rules": [{**rule, "strict": 1}]})
    assert strict.allowed[strict.profile[0]].tolist() == [False, False, True]


def test_lists_of_proxmox_in_files(tmp_path: Path) -> None:
    content = pve()
    rule = {"rule": "r", "type": "resource-affinity", "affinity": "positive"}
    content["rules"] = [{**rule, "resources": "vm:100,vm:102"}]
    whole = tmp_path / "pve.json"
    whole.write_text(json.dumps(content))
    folder = tmp_path / "pve"
    folder.mkdir()
    (folder / "resources.json").write_text(json.dumps(content["resources"]))
    (folder / "rules.json").write_text(json.dumps({"data": content["rules"]}))
    assert read_folder(folder) == read_all([whole])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (with_guest(0, node="n9"), r"\$.resources\[4\]: vm:100 is on the node 'n9', which is not"),
        (
            with_guest(0, maxmem=None),
            r"\[4\]: 'maxmem' is missing; .* pvesh get /cluster/resources",
        ),
        (with_guest(0, tags="plb_pin_n9"), r"plb_pin_n9: there is no node 'n9'"),
        ({**pve(), "cpu_ratio": 0}, r"\$.cpu_ratio: must be a number in 0.001..1000"),
        ({**pve(), "reserve_mib": -1}, r"\$: reserve_mib must be a whole number"),
        ({**pve(), "pools": []}, r"\$: unknown key 'pools'; allowed are resources, rules"),
        (
            {**pve(), "rules": [{"rule": "r", "type": "x", "resources": ""}]},
            "must be resource-aff",
        ),
        (
            {"resources": pve()["resources"][4:]},
            "there are no nodes; they are in the output of: pvesh get /cluster/resources",
        ),
        ({"resources": pve()["resources"][:4]}, "there are no running VMs"),
        (
            {**pve(), "rules": [{"rule": "r", "type": "node-affinity", "resources": "vm:100"}]},
            r"'nodes' is missing; it is in the output of: pvesh get /cluster/ha/rules",
        ),
    ],
)
def test_malformed_snapshots_of_proxmox(content: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        made(content)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything inside *value*."""
    if not isinstance(value, dict | list):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(inner, (*path, key))


def every_rule(name: str) -> dict[str, Any]:
    """A snapshot with one of everything that is read."""
    if name == "openstack":
        content = cloud()
        content["services"] = [{"Binary": "nova-compute", "Host": "c1", "Zone": "z"}]
        content["server_groups"] = [
            {
                "id": "g",
                "name": "w",
                "policy": "anti-affinity",
                "rules": {"max_server_per_host": 2},
                "members": ["uuid-0", "uuid-1"],
            }
        ]
        return content
    content = with_guest(0, tags="plb_affinity_a;plb_pin_n0", lock="backup")
    resources = "vm:100,vm:101"
    content["rules"] = [
        {"rule": "r", "type": "node-affinity", "nodes": "n0:1,n1", "resources": resources},
        {"rule": "q", "type": "resource-affinity", "affinity": "negative", "resources": resources},
    ]
    content["status"] = [{"type": "lrm", "node": "n1", "status": "maintenance mode"}]
    return {**content, "cpu_ratio": 2.5, "reserve_mib": 100}


WRONG = (None, -1, 1e300, 2**70, "", "x", "a\nb", [], {}, [[]], True, 1.5, float("inf"))


@pytest.mark.parametrize("name", ["openstack", "proxmox"])
def test_whatever_stands_somewhere_is_read_or_refused(name: str) -> None:
    content = every_rule(name)
    made(content)
    refused = 0
    for path in list(places(content)):
        for value in WRONG:
            try:
                parse(
                    json.dumps(changed(*path, to=value, base=lambda: content)).encode(), "x", name
                )
            except InputError:
                refused += 1
    assert refused > 300


@pytest.mark.parametrize("name", ["openstack", "proxmox"])
def test_what_a_snapshot_cannot_hold_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"the format {name} holds .* json can hold it"):
        dumps(cluster(), name)
    base = made(cloud()) if name == "openstack" else made(pve())
    with pytest.raises(InputError, match=f"the format {name} cannot hold conflicts of "):
        dumps(replace(base, conflicts=[[0, 1]]), name)
    with pytest.raises(InputError, match=f"the format {name} cannot hold "):
        dumps(replace(base, policy=Policy(max_moves=3)), name)
    if name == "proxmox":
        with pytest.raises(InputError, match="VMs called vm:ID or ct:ID, not 'x'"):
            dumps(replace(base, vms=("x", *base.vms[1:])), name)


def configured(**config: str) -> dict[str, Any]:
    content = pve()
    content["resources"] += [
        {"id": "storage/n0/ceph", "type": "storage", "storage": "ceph", "shared": 1},
        {"id": "storage/n0/lvm", "type": "storage", "storage": "lvm", "shared": 0},
    ]
    return {**content, "configs": {"101": {"ostype": "l26", **config}, "555": {}}}


@pytest.mark.parametrize(
    ("config", "disk", "reason"),
    [
        ({"scsi0": "ceph:vm-101-disk-0,size=32G"}, 0, ""),
        ({"scsi0": "lvm:vm-101-disk-0,iothread=1,size=32G"}, 32 * 1024, ""),
        ({"scsi0": "lvm:a,size=1T", "efidisk0": "lvm:b,size=528K"}, 2**20 + 1, ""),
        ({"ide2": "none,media=cdrom", "unused0": "lvm:c"}, 0, ""),
        ({"ide2": "lvm:vm-101-cloudinit,media=cdrom"}, 0, ""),
        ({"ide2": "lvm:iso/debian.iso,media=cdrom,size=600M"}, 0, "device ide2"),
        ({"ide2": "cdrom,media=cdrom"}, 0, "device ide2"),
        ({"virtio1": "/dev/sdb,size=10G"}, 0, "device virtio1"),
        ({"hostpci0": "0000:01:00.0"}, 0, "device hostpci0"),
        ({"usb0": "spice"}, 0, ""),
    ],
)
def test_local_disks_and_devices(config: dict[str, str], disk: int, reason: str) -> None:
    one = made(configured(**config))
    assert one.disk.tolist() == [0, disk, 0, 0]
    assert one.pinned == ("", reason, "", "")
    assert made(json.loads(dumps(one, "proxmox"))) == one


def test_configurations_in_files_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    content = configured(scsi0="lvm:vm-101-disk-0,size=32G")
    folder = tmp_path / "cloud"
    folder.mkdir()
    (folder / "resources.json").write_text(json.dumps(content["resources"]))
    (folder / "config-101.json").write_text(json.dumps(content["configs"]["101"]))
    assert read_folder(folder) == [made(content)]
    with pytest.raises(InputError, match=r"\$.configs.101: scsi0 is on the storage 'nfs', which"):
        made(configured(scsi0="nfs:a,size=3G"))
    with pytest.raises(
        InputError, match=r"\$.configs.101: scsi0 has no size such as size=32G: ''"
    ):
        made(configured(scsi0="lvm:a"))

"""REST: the fabric: links between switches, stations at their ports, and the whole as a graph."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from nib.committing import commit
from nib.database import Nib
from nib.errors import NotFound
from nib.paging import Paging
from nib.places import dpid_called
from prewire.fabric.forgetting import host_forgotten
from prewire.fabric.links import LinkList, link_list
from prewire.fabric.located import HostList, HostOut, host_list, host_out
from prewire.fabric.topology import TopologyOut, topology_out

OneSwitch = Annotated[
    str | None, Query(description="datapath id or bridge name; all switches by default")
]


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1")
    _add_links(routes, nib)
    _add_hosts(routes, nib)
    return routes


def _add_links(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/links", tags=["fabric"])
    def list_links(page: Paging, switch: OneSwitch = None) -> LinkList:
        """Links between switches, each once; those of one switch as seen from it."""
        with nib.view() as view:
            return link_list(view, switch=dpid_called(switch, view), page=page)

    @routes.get("/topology", tags=["fabric"])
    def get_topology() -> TopologyOut:
        """The fabric as a graph: switches in layers, and the links between them."""
        with nib.view() as view:
            return topology_out(view)


def _add_hosts(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/hosts", tags=["fabric"])
    def list_hosts(page: Paging, switch: OneSwitch = None) -> HostList:
        """Stations: containers, what interfaces name, and hosts that were heard at edge ports."""
        with nib.view() as view:
            return host_list(view, switch=dpid_called(switch, view), page=page)

    @routes.get("/hosts/{mac}", tags=["fabric"])
    def get_host(mac: str) -> HostOut:
        """One station, by its MAC address."""
        with nib.view() as view:
            found = host_out(mac, view)
        if found is None:
            raise NotFound("Host", mac)
        return found

    @routes.delete("/hosts/{mac}", tags=["fabric"], status_code=status.HTTP_204_NO_CONTENT)
    async def forget_host(mac: str, response: Response) -> None:
        """Forget where a host was heard; it is learned anew when it speaks."""
        await commit(nib, host_forgotten(mac), response)

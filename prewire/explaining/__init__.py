"""Why a packet goes where it goes, and where a flow comes from."""

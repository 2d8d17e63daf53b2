"""The controller: compiles intent into flows, programs switches and watches them.

Floor 2. `framework` alone knows whether os-ken or classic Ryu runs it; `compile`, `forwarding`,
`diff` and `order` are pure and import neither.
"""

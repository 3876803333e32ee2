"""Network filters as nftables rules: text in, text out.

`frames` and `packets` say what one rule matches, `chains` puts the rules of a card's device into chains, `transaction`
writes what `nft -f -` reads.

Rules about frames (mac, vlan, stp, arp, rarp, ip, ipv6) are looked at first, in the order of their chains. Rules about
packets (tcp, udp, icmp, all and so on) come after them, and what one layer accepts the other still has to.
"""

"""What calls cost, who pays, and how each cent is explained."""

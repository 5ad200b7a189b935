"""Virtual sensor: the viscosity of the adhesive, live and half an hour ahead."""

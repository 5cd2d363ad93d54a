"""The tables of the simulated analyst: kinds of products, materials, and the processes that shape
them.

Plain tables, read by `analyst.py`. Hints are words to look for among the values of an enum:
alternatives are separated by `/` and the first word of each must be there; `*` marks the part of a
recipe that a material named in the product's text replaces. Masses are typical masses of one unit
in kg.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.simulator.answering.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a recipe: a hint to its material, its share of the mass, its name in the product.

    `replaceable`: a material named in the product's text takes the place of the usual one.
    """

    hint: str
    share: float
    component: str
    replaceable: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of product: typical mass of one unit, parts, and words to find its category by."""

    name: str
    mass_kg: float
    parts: tuple[Part, ...]
    category_words: tuple[str, ...]


_RECIPES = """
garment: *cotton knit dyed/cotton yarn/cotton fibre/clothing .93 main fabric; polyester filament/polyester .04 sewing thread; polyester staple/polyester .03 label and trim
woven: *cotton woven dyed/cotton yarn/cotton fibre/clothing .90 main fabric; polyester woven/polyester filament/polyester .06 lining; zinc die cast/zinc .02 buttons and zip; nylon filament/nylon .02 thread
outerwear: *polyester woven/polyester filament/polyester .60 shell; polyester staple/polyester .25 padding; nylon filament/nylon .12 lining; zinc die cast/zinc .03 zip
shoe: *pu synthetic leather/leather chrome/leather .32 upper; eva copolymer/eva .25 midsole; natural rubber/sbr rubber/rubber .28 outsole; polyester knit/polyester staple/polyester .12 lining; epoxy adhesive/hotmelt .03 adhesive
bag: *polyester woven/polyester filament/polyester .70 shell; nylon filament/nylon .12 straps; pu flexible foam/eva copolymer/eva .10 padding; zinc die cast/zinc .05 zips and buckles; pom resin/pp resin/pp .03 clips
towel: *cotton woven dyed/cotton yarn/cotton fibre .98 fabric; polyester filament/polyester .02 thread
bedding: *cotton woven dyed/cotton yarn/cotton .40 cover; polyester staple/polyester .60 filling
carpet: *nylon filament/wool/polyester .55 pile; pp resin/pp .20 backing; sbr rubber/rubber .25 latex coating
mattress: *pu flexible foam/polyol flexible/pu .58 core; steel bar/steel .25 springs; polyester woven/polyester .15 cover; hotmelt/epoxy adhesive .02 adhesive
woodfurniture: *wood rubberwood sawn/wood sawn softwood/wood .82 frame and boards; particleboard/mdf/plywood .12 panels; steel fasteners/steel .04 screws and fittings; varnish acrylic/lacquer/varnish .02 varnish
panelfurniture: *particleboard/mdf/wood .80 panels; steel fasteners/steel .08 fittings; melamine resin/melamine .06 surface; hardboard/fibreboard .06 back panel
metalfurniture: *steel cold rolled/steel .68 frame; particleboard/plywood/wood .20 top and panels; pp resin/pp .08 feet and caps; steel fasteners/steel .04 screws
officechair: *steel cold rolled/steel .38 mechanism and base; pp resin/pp .18 shells; nylon .12 castors and star base; pu flexible foam/polyol flexible/pu .14 cushions; aluminium recycled/aluminium .10 arm supports; polyester woven/polyester .08 cover
upholstered: *wood sawn softwood/wood .42 frame; pu flexible foam/polyol flexible/pu .26 cushions; polyester woven/polyester .18 cover; steel bar/steel .10 springs; plywood/particleboard .04 panels
cookware: *stainless 304 cold rolled/stainless/steel .86 body; phenolic resin/phenolic .10 handle; steel fasteners/steel .02 rivets; silicone rubber/silicone/tpe .02 grip
cutlery: *stainless 304 cold rolled/stainless/steel 1 body
knife: *stainless 430/stainless/steel .68 blade; pom resin/pom/pp .32 handle
bottle: *stainless 304 cold rolled/stainless/steel .82 body; pp resin/pp .15 lid; silicone rubber/silicone/tpe .03 seal
plasticbottle: *pet bottle/pet resin/pet .90 body; hdpe resin/hdpe/pp .10 cap
plasticware: *pp resin/pp .95 body; silicone rubber/silicone/tpe .05 seal
glassware: *glass container/glass 1 body
ceramic: *stoneware/porcelain/brick .98 body; bentonite kaolin/bentonite .02 glaze
brush: *pp resin/pp .60 handle; wood sawn softwood/wood .20 back; nylon filament/nylon .20 bristles
candle: *beeswax/palm oil/soybean .70 wax; glass container/glass .28 jar; cotton yarn/cotton .02 wick
laptop: *aluminium trade/aluminium primary/aluminium .30 casing; pc resin/abs resin/abs .17 keyboard and bezel; battery nmc811/battery liion/battery .18 battery; pcb assembled computer/pcb/copper clad .12 main board; display module lcd/glass display/glass .14 display; copper wire/copper .05 cables and heat pipe; steel cold rolled/steel .04 brackets
phone: display module oled/glass display/glass .22 display; *aluminium primary/aluminium .24 frame; battery liion/battery .25 battery; pcb assembled phone/pcb/copper clad .14 main board; pc resin/abs resin/abs .11 inner parts; copper wire/copper .04 coils and contacts
screen: display module lcd/glass display/glass .20 panel; *abs resin/abs .32 housing; steel electrogalvanised/steel .30 chassis and stand; pcb assembled simple/pcb/copper clad .08 boards; aluminium recycled/aluminium .07 heat spreader; copper wire/copper .03 cables
computer: *steel electrogalvanised/steel .52 chassis; abs resin/abs .15 front; aluminium recycled/aluminium .10 heat sinks; pcb assembled computer/pcb/copper clad .14 main board; copper wire/copper .06 cables; ic logic/ic .0005 processors; electric motor .0295 fans
server: *steel electrogalvanised/steel .60 chassis; aluminium recycled/aluminium .13 heat sinks; pcb assembled computer/pcb/copper clad .13 boards; copper wire/copper .06 cables; pc resin/abs .05 carriers; electric motor .029 fans; ic memory/ic .001 memory
printer: *steel electrogalvanised/steel .50 frame; abs resin/abs .26 housing; ps hips/ps .10 trays; electric motor .06 motors; pcb assembled simple/pcb/copper clad .04 boards; glass float/glass .02 scanner glass; copper wire/copper .02 cables
device: *abs resin/abs .55 housing; pcb assembled simple/pcb/copper clad .16 board; copper wire/copper .10 cables; steel cold rolled/steel .12 screws and shields; battery liion/battery .07 battery
audio: *abs resin/abs .52 housing; magnet ferrite/magnet/steel .16 magnets; copper wire/copper .10 coils; pcb assembled simple/pcb/copper clad .10 board; pu flexible foam/pu .06 pads; battery liion/battery .06 battery
cable: copper wire/copper .48 conductor; *pvc resin/pvc .42 insulation; abs resin/abs .07 plug; brass/zinc .03 contacts
appliance: *steel prepainted/steel .48 casing; electric motor .12 motor; pp resin/pp .16 inner parts; abs resin/abs .08 panel; copper wire/copper .05 wiring; glass tempered/glass .04 door; pcb assembled simple/pcb/copper clad .02 control board; stainless 304 cold rolled/stainless/steel .05 drum and liner
fridge: *steel prepainted/steel .46 casing; pu rigid foam/polyol rigid/pu .13 insulation; ps hips/ps .18 liner; copper wire/copper .05 piping; electric motor .12 compressor; glass tempered/glass .06 shelves
smallappliance: *pp resin/pp .46 housing; stainless 304 cold rolled/stainless/steel .20 inner body; electric motor .14 motor; copper wire/copper .06 wiring; pcb assembled simple/pcb/copper clad .03 control board; silicone rubber/silicone/tpe .03 seals; abs resin/abs .08 base
lamp: *aluminium recycled/aluminium .36 body; pc resin/pmma/pc .24 diffuser; pcb assembled simple/pcb/copper clad .10 driver; steel cold rolled/steel .20 bracket; copper wire/copper .10 cable
bulb: glass container/glass .35 bulb; *aluminium recycled/aluminium .25 heat sink; pc resin/pc .22 housing; pcb assembled simple/pcb/copper clad .12 driver; brass/tin .06 cap
battery: *battery liion/battery .92 cells; abs resin/abs .05 casing; copper wire/copper .03 contacts
solar: glass tempered/glass float/glass .68 front glass; aluminium primary/aluminium .14 frame; silicon wafer/silicon .04 cells; eva copolymer/eva .08 encapsulant; pet film/pet .04 back sheet; copper wire/copper .02 ribbons
motor: steel electrical/steel .50 stator and rotor; *castiron/iron .24 housing; copper wire/copper .16 windings; aluminium recycled/aluminium .08 end shields; steel bar/steel .02 shaft
board: pcb assembled simple/pcb/copper clad .88 board; ic logic/ic .04 chips; capacitor .05 capacitors; solder .03 solder
handtool: *steel forged/steel alloy/steel .75 head; pp resin/pp .17 handle; tpe/sebs .08 grip
powertool: *pa6 resin/nylon/abs .26 housing; electric motor .34 motor; steel forged/steel alloy/steel .20 gears and chuck; battery liion/battery .14 battery; copper wire/copper .04 wiring; tpe/sebs .02 grip
metalpart: *steel cold rolled/steel .96 body; steel fasteners/steel .03 fasteners; epoxy resin/paint .01 coating
castpart: *castiron/iron .92 body; stainless 304 cold rolled/stainless/steel .05 inner parts; epdm rubber/nbr rubber/rubber .03 seals
fastener: *steel fasteners/steel .98 body; zinc primary/zinc .02 plating
machine: *steel hot rolled/steel .56 frame; castiron/iron .18 housings; electric motor .10 drives; copper wire/copper .04 wiring; aluminium recycled/aluminium .05 covers; nbr rubber/rubber .02 hoses and seals; pcb assembled simple/pcb/copper clad .01 controls; pp resin/pp .04 panels
vehicle: steel cold rolled/steel .54 body; *aluminium recycled/aluminium .10 engine and wheels; pp resin/pp .11 interior; castiron/iron .08 engine block; tyres/sbr rubber/rubber .05 tyres; glass laminated/glass .03 windows; copper wire/copper .02 wiring; pu flexible foam/pu .03 seats; battery nmc811/battery lead/battery .04 battery
bicycle: *aluminium primary/aluminium .52 frame and wheels; steel alloy/steel .28 drivetrain; sbr rubber/rubber .11 tyres; pu flexible foam/pu .03 saddle; nylon .06 small parts
tyre: tyres/sbr rubber/rubber 1 tyre
plasticpart: *pp resin/pp/plastic 1 body
film: *ldpe film/ldpe resin/ldpe/lldpe/plastic 1 film
foam: *eps foam/eps/pu flexible/pu 1 foam
rubberpart: *epdm rubber/nbr rubber/rubber 1 body
box: *corrugated board/corrugated/board .97 board; starch glue/starch .02 glue; ink offset/ink .01 print
paper: *printing paper/paper .98 sheets; ink offset/ink .02 print
tissue: *pulp softwood/pulp/paper .97 tissue; ldpe film/ldpe/plastic .03 wrap
beveragecarton: *liquid packaging/board/paper .74 board; ldpe film/ldpe/pe .22 layers; aluminium foil/aluminium sheet/aluminium .04 barrier
concrete: *concrete .99 body; steel prestressing/steel .01 reinforcement
cement: *cement 1 binder
brickwork: *brick 1 body
plasterboard: gypsum .95 core; kraft paper/paper .05 liners
insulation: *glass wool/insulation/eps foam .98 insulation; kraft paper/paper .02 facing
stone: *stone/aggregate 1 stone
asphalt: *asphalt 1 mix
window: *pvc resin/pvc/aluminium .38 frame; glass float/glass .48 panes; steel galvanised/steel .10 reinforcement; epdm rubber/rubber .04 seals
paintcan: *paint/varnish .93 paint; steel tinplate/steel .07 can
sanitary: *porcelain/stoneware/brick .95 body; abs resin/abs .03 fittings; epdm rubber/rubber .02 seals
tap: *brass/zinc/copper .82 body; stainless 304 cold rolled/stainless/steel .10 inner parts; epdm rubber/rubber .03 seals; abs resin/abs .05 cartridge
board1: *wood sawn softwood/wood .97 board; urea formaldehyde/urea .03 binder
pallet: *wood sawn softwood/wood .96 boards; steel fasteners/steel .04 nails
cork: *cork .98 body; pu resin/pu .02 binder
liquid: water/calcium .62 water; surfactant anionic/surfactant .14 surfactant; surfactant nonionic/surfactant .06 surfactant; hdpe resin/hdpe .10 bottle; citric acid/citric .04 acidity; pp resin/pp .04 cap
cream: water/calcium .55 water; palm oil/soybean .14 oils; glycerine .11 humectant; surfactant nonionic/surfactant .05 emulsifier; pp resin/pp .15 jar
perfume: ethanol .42 alcohol; water/calcium .10 water; glass container/glass .43 bottle; pp resin/pp .05 cap
oil: *lubricating oil/lubricating .94 oil; hdpe resin/hdpe .06 canister
chemical: *soda ash/soda/salt .97 substance; ldpe film/ldpe .03 sack
resin: *pp resin/pp/plastic 1 granules
diaper: pulp softwood/pulp .45 fluff; acrylic resin/acrylic .28 absorber; pp resin/pp .20 nonwoven; ldpe film/ldpe .07 back sheet
food: *food drink average/food .90 food; paper board/board/paper .06 packaging; ldpe film/ldpe .04 film
drink: water/food drink/food .58 drink; *glass container/glass .38 bottle; food sugar/food .03 sugar; steel tinplate/steel .01 closure
toy: *abs resin/abs/plastic .72 body; pp resin/pp .16 parts; steel fasteners/steel .04 screws; paper board/board .08 packaging
plush: *polyester knit/polyester filament/polyester .45 cover; polyester staple/polyester .55 filling
boardgame: *paper board/board .80 box and board; printing paper/paper .10 rules; ps gpps/ps .10 pieces
ball: *pu synthetic leather/pvc/rubber .55 cover; natural rubber/rubber .30 bladder; polyester woven/polyester .15 lining
fitness: *castiron/iron/steel .62 weights; steel cold rolled/steel .26 frame; natural rubber/rubber .08 coating; pvc resin/pvc .04 grips
ski: *wood sawn softwood/wood .40 core; epoxy resin/epoxy .22 matrix; glass fibre .20 laminate; steel alloy/steel .12 edges; hdpe resin/hdpe .06 base
instrument: *wood sawn softwood/wood .78 body; steel bar/steel .10 strings and pins; brass/zinc .08 fittings; varnish acrylic/varnish .04 varnish
jewel: *silver primary/silver/gold .95 body; glass crystal/glass .05 stone
watch: *stainless 316/stainless/steel .62 case; leather chrome/leather/rubber .22 strap; glass technical/glass .08 glass; brass/zinc .07 movement; battery alkaline/battery .01 cell
glasses: *pc resin/pmma/pc .80 frame and lenses; stainless 304 cold rolled/stainless/steel .20 hinges
umbrella: *polyester woven/polyester filament/polyester .28 canopy; steel bar/steel .42 ribs; aluminium recycled/aluminium .18 shaft; pp resin/pp .12 handle
pen: *ps gpps/ps/pp .70 barrel; brass/steel .12 tip; pp resin/pp .10 cap; ink offset/ink .08 ink
fuel: *lubricating oil/ethanol/methanol 1 fuel
pellets: *wood 1 pellets
"""

_KINDS = """
tshirt, polo; .17; garment; tshirts tops apparel
shirt, blouse; .22; woven; shirts blouses apparel
sweater, sweatshirt, cardigan, knitwear, jumper; .45; garment; knitwear sweatshirts apparel
trouser, jean, chino, legging, short; .5; woven; trousers jeans apparel
dress, skirt; .35; woven; dresses skirts apparel
jacket, coat, parka, anorak, vest; .85; outerwear; coats jackets apparel
suit, workwear, overall, uniform; .9; woven; suits workwear apparel
sock, underwear, bra, brief, boxer, tight; .06; garment; underwear socks apparel
swimsuit, swimwear, sportswear, tracksuit; .25; outerwear; sportswear swimwear apparel
romper, bodysuit, onesie; .12; garment; baby clothing apparel
hat, cap, scarf, glove, beanie, tie; .12; garment; clothing accessories apparel
sneaker, running shoe; .75; shoe; sports shoes footwear
shoe, loafer, heel; .85; shoe; leather shoes footwear
boot, safety shoe; 1.3; shoe; safety footwear
sandal, slipper, flip flop; .4; shoe; sandals slippers footwear
backpack, bag, handbag, tote, pouch; .7; bag; bags backpacks
suitcase, luggage, trolley case; 3.5; plasticpart; luggage
wallet, belt, purse; .15; bag; wallets belts
towel; .5; towel; towels home textiles
bed linen, bedsheet, sheet set, duvet cover, pillowcase; 1.2; towel; bed linen textiles
curtain, blind; 1.4; woven; curtains blinds
blanket, throw; 1.1; woven; blankets throws
carpet, rug, mat; 6; carpet; carpets rugs
cushion, pillow, duvet, comforter; 1.1; bedding; cushions pillows duvets
tent, tarpaulin, awning; 4; outerwear; camping outdoor tents technical
yarn, fabric, fibre; 1; garment; yarn fabric
mattress; 24; mattress; mattresses furniture
office chair, task chair, work chair, desk chair, swivel chair; 18; officechair; office chairs furniture
chair, stool, bench, seating, seat; 6.5; woodfurniture; seating chairs furniture
sofa, armchair, recliner, loveseat; 55; upholstered; sofas armchairs furniture
desk, workstation, table; 30; metalfurniture; tables desks furniture
wardrobe, cabinet, bookcase, shelf, shelving, cupboard, sideboard, dresser, drawer; 38; panelfurniture; storage shelving furniture
bed, bed frame, headboard; 45; woodfurniture; beds bed frames furniture
pan, pot, wok, saucepan, casserole, skillet, cookware, baking tray; 1.3; cookware; cookware bakeware
fork, spoon, cutlery, spatula, ladle; .06; cutlery; cutlery knives
knife, scissor; .2; knife; cutlery knives
water bottle, bottle, flask, thermos, drinking bottle; .35; bottle; reusable bottles flasks
pet bottle, plastic bottle; .03; plasticbottle; plastic bottles
mug, cup, plate, bowl, dinnerware, teapot, tableware; .4; ceramic; tableware ceramic
wine glass, drinking glass, tumbler, glassware, drinkware; .25; glassware; drinkware glassware
food container, lunch box, storage box, container, tub; .3; plasticware; food storage containers
brush, broom, mop, sponge; .3; brush; cleaning tools brushes
candle; .35; candle; candles home fragrance
vase, picture frame, ornament, mirror, clock; .9; ceramic; home decoration
cutting board, chopping board, tray; 1; board1; wood household articles
ironing board, clothes rack, laundry; 5; metalfurniture; laundry ironing accessories
smartphone, mobile phone; .18; phone; smartphones consumer electronics
tablet, e reader; .5; phone; tablets consumer electronics
laptop, notebook computer, ultrabook, chromebook, macbook, thinkpad; 1.8; laptop; laptops consumer electronics
desktop, computer, pc tower, workstation pc, thin client; 7; computer; desktop computers consumer electronics
monitor, flat panel, display; 6; screen; monitors consumer electronics
television; 15; screen; televisions consumer electronics
printer, scanner, copier, multifunction, printing device; 20; printer; printers scanners
headphone, earphone, earbud, headset; .2; audio; audio headphones
speaker, soundbar, amplifier; 2.5; audio; speakers audio
camera, webcam, camcorder; .6; device; cameras electronics
projector; 3; device; other consumer electronics
console, controller; 3; device; game consoles
smartwatch, fitness tracker, wearable; .06; phone; wearables electronics
keyboard, mouse, hub, docking station, peripheral, toner, cartridge; .6; device; computer accessories peripherals
charger, power bank, adapter; .15; device; chargers cables
cable, wire, cord; .1; cable; cables wiring electrical
server, blade; 20; server; servers telecom
hard drive, ssd, storage array, disk; .6; server; storage devices telecom
router, switch, gateway, modem, access point, network; 1.5; device; network equipment telecom
phone, conferencing; .9; device; phones conferencing telecom
rack; 110; metalpart; data centre racks
ups, power supply, transformer, converter, inverter; 5; motor; power supplies ups
refrigerator, freezer; 65; fridge; refrigerators freezers appliances
washing machine, dryer, washer; 68; appliance; washing machines appliances
dishwasher; 46; appliance; dishwashers appliances
oven, cooker, hob, stove, grill, barbecue; 35; appliance; cookers ovens appliances
microwave; 13; appliance; microwaves appliances
kettle, coffee machine, espresso machine, coffee maker; 2.2; smallappliance; coffee machines kettles appliances
toaster, blender, mixer, food processor, juicer, air fryer; 3; smallappliance; small kitchen appliances
vacuum, vacuum cleaner; 5.5; smallappliance; vacuum cleaners appliances
iron, hair dryer, hairdryer, shaver, trimmer, toothbrush; .8; smallappliance; irons hair care appliances
heater, fan, radiator, purifier, humidifier; 4; smallappliance; heaters fans appliances
air conditioner, heat pump; 35; appliance; air conditioning appliances
boiler, water heater; 40; appliance; water heaters appliances
sewing machine; 7; smallappliance; sewing machines appliances
led lamp, light lamp, lamp; .08; bulb; lamps bulbs lighting
luminaire, lantern, torch, flashlight, floodlight, chandelier, desk lamp, table lamp, floor lamp; 1.5; lamp; luminaires lighting
battery, accumulator; .5; battery; batteries rechargeable electrical
car battery, automotive battery, traction battery; 18; battery; vehicle batteries parts
socket, plug, circuit breaker, extension lead; .2; device; switches sockets electrical
motor, generator; 12; motor; electric motors electrical
solar panel, photovoltaic, solar module; 19; solar; solar panels electrical
circuit board, pcb, motherboard; .3; board; printed circuit boards components
semiconductor, chip, processor, memory, microcontroller, ic; .01; board; semiconductors ics components
capacitor, resistor, inductor; .005; board; passive components
sensor, thermometer, meter, gauge; .2; device; sensors instruments
connector; .02; cable; connectors components
hammer, screwdriver, wrench, plier, spanner, saw, chisel, axe, tool; .7; handtool; hand tools hardware
drill, grinder, sander, jigsaw, power tool; 2; powertool; power tools hardware
spade, shovel, rake, secateur, hoe, hose; 1.5; handtool; garden tools hardware
lawn mower, mower, hedge trimmer, chainsaw; 20; powertool; lawn garden machines
screw, bolt, nut, nail, rivet, washer ring, bracket; .02; fastener; fasteners hardware
lock, padlock, hinge, handle; .4; metalpart; locks hinges hardware
chain, spring; .8; metalpart; wire chain springs
ladder, scaffold; 11; metalpart; ladders scaffolding
pipe, tube, fitting; 3; metalpart; pipes fittings
valve; 2.5; castpart; valves taps
tap; 1.6; tap; valves taps sanitary plumbing
beam, girder, structure; 120; metalpart; steel structures
foil; .4; metalpart; metal packaging
tank, drum, cylinder; 20; metalpart; tanks containers metal
can, tin; .03; metalpart; metal packaging
bearing, gear; .8; castpart; bearings gears
casting, forging, flange; 5; castpart; castings forgings
pump, compressor; 30; machine; pumps compressors machinery
engine, turbine; 180; machine; engines turbines machinery
crane, forklift, hoist, conveyor; 900; machine; lifting handling equipment
lathe, press, milling machine; 1500; machine; machine tools
tractor, harvester; 4500; machine; agricultural machinery
excavator, loader, machine, machinery, equipment; 1200; machine; machinery equipment construction
wheelchair, syringe, stethoscope, mask; .5; plasticpart; medical devices
car, automobile, sedan, suv, vehicle; 1450; vehicle; cars vehicles
truck, van, bus; 5200; vehicle; commercial vehicles
motorcycle, scooter, escooter, moped; 110; vehicle; motorcycles scooters
bicycle, bike, ebike; 14; bicycle; bicycles
tyre; 9; tyre; tyres vehicles
bumper, brake, axle, wheel, exhaust; 8; metalpart; vehicle parts
child seat, car seat; 7; plasticpart; child car seats
crate, bin, bucket, basket, tote box; 1.5; plasticpart; plastic packaging
plastic bag, film, wrap, sack, bag liner; .02; film; plastic film bags
gasket, seal, rubber; .05; rubberpart; rubber products
foam; .5; foam; foam products
shipping paperboard, paperboard, paperboard box, shipping box, box, packaging; .4; box; corrugated boxes
paper bag; .05; paper; paper bags
paper, copy paper, newsprint; 2.5; paper; printing office paper
tissue, toilet paper, napkin, kitchen roll; .2; tissue; tissue hygiene paper
label, sticker; .005; paper; labels
book, magazine, brochure, calendar; .5; paper; books printed matter
notebook, notepad, envelope, folder; .3; paper; stationery notebooks
beverage paperboard, tetra, brik; .03; beveragecarton; beverage cartons
jar, glass bottle; .4; glassware; glass bottles jars
glazing, pane; 20; glassware; flat glass
tile; 1.2; brickwork; ceramic tiles
toilet, sink, basin, bathtub, washbasin; 18; sanitary; sanitary ceramics
cement, mortar, grout; 25; cement; cement binders
concrete, paving, kerb; 40; concrete; concrete products
brick; 2.5; brickwork; bricks roof tiles
plasterboard, drywall; 22; plasterboard; plasterboard
insulation, mineral wool, glass wool; 6; insulation; insulation
door, window; 32; window; doors windows
flooring, laminate, parquet, vinyl; 8; board1; flooring
paint, varnish, lacquer, coating; 5; paintcan; paints varnishes
sealant, adhesive, glue, silicone; .4; liquid; sealants adhesives
asphalt, bitumen; 1000; asphalt; asphalt bitumen
stone, granite, marble, slate; 40; stone; stone products
plywood, osb, mdf, particleboard, chipboard, panel; 18; board1; wood based panels
lumber, plank, sawn; 12; board1; sawn wood
pallet; 22; pallet; wood packaging pallets
cork; .1; cork; cork products
detergent, cleaner, dishwashing liquid, bleach; 1.1; liquid; detergents cleaning
soap, shower gel, body wash; .3; liquid; soap body wash
cream, lotion, sunscreen, cosmetic, lipstick, makeup, mascara; .1; cream; cosmetics skin care
perfume, fragrance, cologne; .25; perfume; perfume
shampoo, conditioner; .3; liquid; hair care
toothpaste, mouthwash; .12; liquid; oral care
resin, granule, polymer, polyvinyl; 25; resin; plastics primary form
acid, chemical, oxide, soda, chlorate, salt, solvent; 25; chemical; basic chemicals
fertiliser, fertilizer; 25; chemical; fertilisers
lubricant, grease, oil; 1; oil; lubricants oils
ink, dye, pigment; .5; chemical; inks dyes
medicine, pharmaceutical, vitamin, capsule; .05; chemical; pharmaceuticals
diaper; 1.4; diaper; hygiene products nappies
beef, pork, chicken, ham, sausage, meat; 1; food; meat poultry
fish, salmon, shrimp, tuna, trout; .4; food; fish seafood
milk, cheese, butter, yogurt, yoghurt; 1; food; dairy products
egg; .6; food; eggs
apple, banana, orange, tomato, potato, fruit, vegetable; 1; food; fruit vegetables
pasta, rice, cereal, flour, muesli; 1; food; cereals rice pasta
bread, cake, biscuit, cookie; .5; food; bread bakery
chocolate, candy, sweet, confectionery, sugar; .2; food; confectionery chocolate
coffee, tea; .5; food; coffee tea
sunflower oil, rapeseed oil, olive oil, cooking oil, vegetable oil, margarine; 1; food; oils fats
sauce, ketchup, soup, jam, honey; .4; food; sauces condiments
crisp, snack; .15; food; snacks
juice, water, lemonade, cola, drink; 1.1; drink; soft drinks water
beer; .55; drink; beer
wine; 1.3; drink; wine
whisky, vodka, gin, spirit; 1.2; drink; spirits
dog food, cat food, pet food; 2; food; pet food
toy, doll, lego, building block; .4; toy; toys
plush, teddy; .3; plush; toys
game, puzzle; .9; boardgame; games puzzles
ball, racket; .4; ball; balls rackets sports
ski, snowboard, sled; 3.5; ski; winter sports
dumbbell, treadmill, weight, barbell, kettlebell; 12; fitness; fitness equipment
guitar, piano, violin, instrument; 3; instrument; musical instruments
stroller, crib, pram, cot; 9; metalfurniture; baby equipment
ring, necklace, bracelet, earring, pendant; .01; jewel; jewellery
watch; .09; watch; watches clocks
sunglasses, eyeglass, spectacle, eyewear; .03; glasses; eyewear
umbrella, parasol; .5; umbrella; umbrellas
pen, pencil, marker; .012; pen; pens writing
diesel, petrol, gasoline, fuel; 1; fuel; liquid fuels
wood pellet, pellet; 15; pellets; biomass pellets
"""

# Words for a material in a product's text, and the hint that then replaces a recipe's `*` part.
_MATERIALS = """
stainless, inox, 18/8: stainless 304 cold rolled/stainless/steel
galvanised, galvanized: steel galvanised/steel
tinplate: steel tinplate/steel
castiron: castiron/iron/steel
steel, metal, iron: steel cold rolled/steel
aluminium, anodised: aluminium primary/aluminium
copper: copper wire/copper
brass: brass/copper
bronze: bronze/copper
zinc, zamak: zinc die cast/zinc
titanium: titanium/metals
silver: silver primary/silver
gold: gold primary/gold
lead acid: lead primary/lead
denim, canvas: cotton woven dyed/cotton
cotton: cotton knit dyed/cotton yarn/cotton
polyester, fleece, microfibre: polyester filament/polyester
nylon, ripstop: nylon filament/nylon
wool: wool
cashmere: cashmere/wool
silk: silk/wool
linen, flax: linen/cotton
hemp: hemp/cotton
jute: jute/cotton
viscose, rayon, modal, lyocell, tencel: viscose/cotton
elastane: elastane/polyester
acrylic: pmma/acrylic
leather, suede: leather chrome/leather/raw hide/pu synthetic
duck down, goose down, down filling, feather: down/polyester
bamboo: bamboo/wood
cork: cork
oak, beech, walnut, birch, maple, teak, acacia, hardwood, ash wood, rubberwood: wood rubberwood/wood hardwood/wood
pine, spruce, fir, softwood, larch: wood sawn softwood/sawn softwood/wood
plywood: plywood/wood
osb: osb/particleboard/wood
mdf: mdf/wood
particleboard, chipboard: particleboard/wood
wood: wood sawn softwood/wood
rattan, wicker: bamboo/wood
pp: pp resin/pp
hdpe: hdpe resin/hdpe
ldpe: ldpe resin/ldpe
pe: hdpe resin/hdpe/pe
pet, tritan: pet resin/pet
pvc, vinyl: pvc resin/pvc
abs: abs resin/abs
pc: pc resin/pc
ps, polystyrol: ps gpps/ps
eps, styrofoam: eps foam/eps
pmma, plexiglass: pmma/acrylic
pu: pu resin/pu
eva: eva copolymer/eva
pla, bioplastic: pla
ptfe, teflon: ptfe/plastic
melamine: melamine resin/melamine
silicone: silicone rubber/silicone/tpe
latex: natural rubber/rubber
neoprene: neoprene/rubber
rubber: natural rubber/sbr rubber/rubber
plastic: plastic average/pp resin/plastic
carbon fibre, cfrp: cfrp/carbon
fibreglass, gfrp: glass fibre/smc
crystal: glass crystal/glass
borosilicate: glass borosilicate/glass technical/glass
glass wool, mineral wool: glass wool/insulation/glass
glass fibre: glass fibre/glass
glass: glass container/glass
porcelain: porcelain/stoneware/brick
ceramic, stoneware, earthenware, terracotta, clay: stoneware/porcelain/brick
corrugated: corrugated board/board
paperboard: board/paper board
kraft: kraft paper/paper
paper: printing paper/paper
concrete: concrete
stone, marble, granite: stone
beeswax: beeswax/palm oil
memory foam, foam: pu flexible foam/polyol flexible/pu
beef: food beef/food
pork, ham: food pork/food
chicken: food chicken/food
milk: food milk/food
cheese: food cheese/food
butter: food butter/food
egg: food egg/food
rice: food rice/food
pasta, spaghetti, noodle: food pasta/food
potato: food potato/food
tomato: food tomato/food
sugar: food sugar/food
chocolate, cocoa: food dark chocolate/food
coffee: food coffee/food
tea: food tea/food
apple, pear: food apple/food
orange: food orange/food
banana: food banana/food
lentil, bean: food lentils/food
shrimp, prawn: food shrimp/food
trout, salmon, fish: food trout/food
sunflower oil: food sunflower/food
rapeseed oil, olive oil: food rapeseed/food
flour, bread: food wheat flour/food
ethanol, alcohol: ethanol
salt: salt
soda: soda ash/soda
"""

# Words of a material's key, and the processes that shape it ("-": none). The first line with one of
# the words counts.
_PROCESSES = """
formed, average, tyre, battery, pcb, ic, capacitor, resistor, motor, equipment, food, dyed, clothing, screwcap, fastener, can, pipe, adhesive, paint, varnish, lacquer, urea, phenolic, melamine: -
forged: steel machining/steel forging
castiron, iron: iron sand casting/sand casting
stainless: steel deep drawing/steel rolling
bar: steel machining/steel forging
steel: steel deep drawing/steel roll forming
aluminium: aluminium shape casting/aluminium spm/aluminium extrusion
brass, bronze: brass rolling/copper wire
copper: copper wire drawing/wire drawing
zinc, magnesium: aluminium spm casting/shape casting
pet: blow moulding/injection moulding
ldpe, lldpe, film: plastic film extrusion/film extrusion
synthetic: -
filament, staple, poy: weaving/knitting; dyeing average/dyeing
pp, hdpe, abs, pc, ps, san, pom, pbt, pmma, pvc, pa6, pa66, tpe, sebs, plastic, nylon6: injection moulding
eva, pu, polyol, foam: compression moulding
rubber: injection moulding/compression moulding
cotton: cotton spinning/spinning; knitting circular/knitting/weaving; dyeing average/dyeing
wool, linen, hemp, silk, viscose: spinning open/cotton spinning; knitting mix/knitting; dyeing batch/dyeing
polyester, nylon, acrylic: weaving/knitting; dyeing average/dyeing; textile heat/washing synthetic
leather, hide: leather post tanning/leather wet; leather buffing
plywood, particleboard, mdf, osb, hardboard, fibreboard, glulam, container, display: -
rubberwood, hardwood: wood planing/hardwood sawing; wood shaving/hardwood sawing
wood, sawn, glulam: wood planing/softwood sawing
glass: glass tempering
corrugated, linerboard, board: corrugated box
cfrp, smc, composite: compression moulding/open moulding
"""


def _phrases(text: str) -> list[tuple[str, ...]]:
    """The phrases of a text with commas between them, each as its words."""
    return [tuple(words_of(phrase)) for phrase in text.split(",")]


def _read_parts(text: str) -> tuple[Part, ...]:
    """The parts of a recipe written as "hint share component; …"; "*" marks a replaceable part."""
    parts = []
    for piece in text.split(";"):
        words = piece.split()
        at = next(
            number for number, word in enumerate(words) if word[0] in ".1" and word[-1].isdigit()
        )
        hint = " ".join(words[:at])
        parts.append(
            Part(hint.lstrip("*"), float(words[at]), " ".join(words[at + 1 :]), hint[0] == "*")
        )
    return tuple(parts)


def _rows(table: str, separator: str) -> list[list[str]]:
    """The cells of each line of a table."""
    return [[cell.strip() for cell in line.split(separator)] for line in table.strip().splitlines()]


_PARTS: Final = {
    name: _read_parts(rest)
    for name, rest in ((line.split(":", 1)) for line in _RECIPES.strip().splitlines())
}


def _read_kinds() -> dict[tuple[str, ...], Kind]:
    """Each kind by the words of every phrase that names it; the first line for a phrase counts."""
    kinds: dict[tuple[str, ...], Kind] = {}
    for names, mass_kg, recipe, category in _rows(_KINDS, ";"):
        for phrase in _phrases(names):
            kinds.setdefault(
                phrase,
                Kind(" ".join(phrase), float(mass_kg), _PARTS[recipe], tuple(words_of(category))),
            )
    return kinds


KINDS: Final[Mapping[tuple[str, ...], Kind]] = _read_kinds()
MATERIALS: Final[Mapping[tuple[str, ...], str]] = {
    phrase: hint for names, hint in _rows(_MATERIALS, ":") for phrase in _phrases(names)
}
PROCESSES: Final[tuple[tuple[frozenset[str], tuple[str, ...]], ...]] = tuple(
    (
        frozenset(word for phrase in _phrases(names) for word in phrase),
        () if hints == "-" else tuple(hint.strip() for hint in hints.split(";")),
    )
    for names, hints in _rows(_PROCESSES, ":")
)
DEFAULT_PARTS: Final = _PARTS["plasticpart"], _PARTS["metalpart"], _PARTS["device"]
